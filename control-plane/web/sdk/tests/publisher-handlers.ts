import { vi } from "vitest";

/** Handlers of a `Publisher` that note how they are called. */
export const publisherHandlers = () => ({ changed: vi.fn(), ended: vi.fn(), micEnded: vi.fn(), failed: vi.fn() });
