import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2022",
    // Nothing inline, so that the page runs under `script-src 'self'; style-src 'self'; img-src 'self'`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
  },
  server: {
    // `npx vite` beside a running server: the page reloads, signaling goes to the server.
    proxy: {
      "/socket.io": { target: "http://127.0.0.1:8080", ws: true },
      "/dev": { target: "http://127.0.0.1:8080", changeOrigin: true },
    },
  },
});
