// Pulumi compiles an entry in TypeScript with a compiler of its own, which refuses ours: Node.js runs index.ts by itself.
// Pulumi's analyzer reads index.ts, which `exports` names, and `npm install` here installs what the components need.
import "./index.ts";
