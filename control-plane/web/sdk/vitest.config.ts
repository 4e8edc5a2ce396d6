import { defineConfig } from "vitest/config";

// Seconds of sound are computed; a busy machine takes its time.
export default defineConfig({ test: { include: ["tests/*.test.ts"], testTimeout: 30_000 } });
