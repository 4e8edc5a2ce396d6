/** In bytes after gzip. */
export function sizes(): Promise<
  Record<"core" | "core with mediasoup-client and socket.io-client" | `lazy: ${string}`, number>
>;
