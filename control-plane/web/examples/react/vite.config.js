import { defineConfig } from "vite";

export default defineConfig({
  // The package carries scripts for the audio thread beside its own. Vite's dev server finds them only if it leaves the
  // package as it is; what that imports is then named here.
  optimizeDeps: {
    exclude: ["@railgun/voice"],
    include: ["@railgun/voice > mediasoup-client", "@railgun/voice > socket.io-client"],
  },
});
