/** The style of the page: for wide and narrow screens, bright and dark, and paper. It names no font or image from elsewhere. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #fbfbf9; --card: #ffffff; --text: #1c2024; --soft: #565d66; --line: #d9dce0;
  --good: #11683a; --good-fill: #cdebd8; --bad: #a4161a; --bad-fill: #f9d0d0; --warn: #7a4b00; --warn-fill: #fbe3b3;
  --accent: #2458b3; --none: #f0f1f3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1c2024; --text: #e8eaed; --soft: #a7afb8; --line: #363c43;
    --good: #7fd6a2; --good-fill: #1d4a31; --bad: #ff9a9a; --bad-fill: #5c2024; --warn: #f2c46b; --warn-fill: #54400f;
    --accent: #8db5ff; --none: #262b30;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
header, main, footer, nav { max-width: 64rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
h1 { font-size: clamp(1.2rem, 2.6vw, 1.6rem); line-height: 1.35; margin: 0 0 .5rem; font-weight: 650; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .5rem; border-top: 3px solid var(--accent); padding-top: .75rem; }
h3 { font-size: 1.08rem; margin: 2rem 0 .4rem; }
p { margin: .4rem 0; max-width: 48rem; }
.soft { color: var(--soft); font-size: .9rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
a { color: var(--accent); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1rem 0; padding: 0; }
.tiles > div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-weight: 600; }
dd span { display: block; font-weight: 400; font-size: .9rem; }
.months { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.75rem, 1fr)); gap: .9rem; margin: .8rem 0; }
.months table { width: 100%; table-layout: fixed; border-collapse: separate; border-spacing: 2px; font-size: .75rem; align-self: start; }
.months caption { text-align: left; font-weight: 600; font-size: .85rem; padding-bottom: .1rem; }
.months th, .months td { padding: 0; text-align: center; height: 1.4rem; font-weight: 400; white-space: nowrap; }
.months th { color: var(--soft); height: 1rem; }
.day, .key { border-radius: .2rem; border: 1.5px solid transparent; }
.none { color: var(--soft); }
.unverified { border: 1.5px dashed var(--soft); }
.unknown { color: var(--soft); background: var(--none); }
.verified { background: var(--good-fill); }
.drilled { border-color: var(--good); font-weight: 700 !important; }
.suspicious { background: var(--warn-fill); font-weight: 700 !important; }
.missed, .damaged, .failed { background: var(--bad-fill); font-weight: 700 !important; }
.legend { display: flex; flex-wrap: wrap; gap: .4rem 1rem; padding: 0; margin: .4rem 0; list-style: none; font-size: .85rem; }
.key { display: inline-block; min-width: 1.5rem; text-align: center; margin-right: .35rem; font-size: .75rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem; }
figcaption { font-size: .85rem; color: var(--soft); }
svg { display: block; width: 100%; height: auto; }
svg text { font: 10px system-ui, sans-serif; fill: var(--soft); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .curve { fill: none; stroke: var(--accent); stroke-width: 1.4; stroke-linejoin: round; }
svg .point { fill: var(--accent); }
svg .odd { fill: var(--card); stroke: var(--warn); stroke-width: 1.8; }
svg .lost { fill: var(--bad); stroke: var(--card); stroke-width: 1; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); margin: .6rem 0; }
.scroll:focus-visible { outline: 2px solid var(--accent); }
.scroll table { border-collapse: collapse; width: 100%; font-size: .88rem; }
.scroll th, .scroll td { text-align: left; vertical-align: top; padding: .4rem .65rem; border-bottom: 1px solid var(--line); }
.scroll tr:last-child > * { border-bottom: 0; }
.scroll th { font-weight: 600; vertical-align: bottom; overflow-wrap: normal; }
.scroll td.number, .scroll th.number { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
.scroll td.number { white-space: nowrap; }
.scroll .number { padding-left: .3rem; }
.scroll td.nowrap { white-space: nowrap; overflow-wrap: normal; }
.scroll td.wide { min-width: 12rem; }
ul { margin: .4rem 0; padding-left: 1.2rem; }
summary { cursor: pointer; color: var(--accent); padding: .3rem 0; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem; margin: .6rem 0;
  white-space: pre-wrap; }
pre .word { display: inline-block; max-width: 100%; }
code { font: .9em/1.5 ui-monospace, monospace; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
footer { margin-top: 3rem; padding-bottom: 2rem; }
@media print {
  :root { --page: #fff; --card: #fff; --text: #000; --soft: #444; --line: #bbb; --good: #0a5a2f; --good-fill: #d4eedd;
    --bad: #900; --bad-fill: #f6c9c9; --warn: #653e00; --warn-fill: #f8e0b0; --accent: #1d478f; --none: #eee; }
  body { font-size: 10pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  header, main, footer { max-width: none; padding: 0; }
  .scroll { overflow: visible; border: 0; }
  .scroll table { font-size: 8pt; }
  .months { grid-template-columns: repeat(5, 1fr); }
  .months table, figure, tr, .tiles > div { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  section + section { break-before: page; }
  details::details-content { content-visibility: visible; block-size: auto; }
  summary { list-style: none; }
}
`;
