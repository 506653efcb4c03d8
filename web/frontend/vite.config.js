import { gzipSync } from "node:zlib";
import { defineConfig } from "vite";

/** Lay a .gz beside every file that gains by it; the server hands it out as it is. */
const packed = {
  name: "packed",
  generateBundle: {
    order: "post",
    handler(_options, bundle) {
      for (const [fileName, part] of Object.entries(bundle)) {
        const content = part.type === "chunk" ? part.code : part.source;
        const bytes = gzipSync(content, { level: 9 });
        if (bytes.length < Buffer.byteLength(content) * 0.9)
          this.emitFile({ type: "asset", fileName: `${fileName}.gz`, source: bytes });
      }
    },
  },
};

export default defineConfig({
  base: "./",
  build: {
    outDir: "../built",
    emptyOutDir: true,
    manifest: "manifest.json",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // a data: address would need a wider content policy
    rolldownOptions: {
      input: "src/main.ts",
      output: {
        assetFileNames: "[name]-[hash][extname]",
        entryFileNames: "[name]-[hash].js",
        chunkFileNames: "[name]-[hash].js",
      },
    },
  },
  plugins: [packed],
});
