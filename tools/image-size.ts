import { buildImage, cannotBuildImage, measureImage } from "./image.ts";

// Builds the image and says how large it is, by its parts: `npm run image`.

const reason = await cannotBuildImage();
if (reason === undefined) {
  const image = await buildImage();
  try {
    const parts = await measureImage(image);
    parts.push({ name: "as a registry keeps it", bytes: await image.compressedSize() });
    for (const { name, bytes } of parts) console.log(`${(bytes / 1e6).toFixed(1).padStart(7)} MB  ${name}`);
  } finally {
    await image.remove();
  }
} else {
  console.error(`${reason} With Docker: docker buildx build --tag provision . && docker image ls provision`);
  process.exitCode = 1;
}
