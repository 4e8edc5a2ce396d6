/** What the network test sends and asks. */

const RELAY_MS = 5_000;

/** A picture that is hard to compress, or silence where video is not allowed. */
export function testPicture(video: boolean): { track: MediaStreamTrack; stop(): void } {
  if (!video) {
    const context = new AudioContext();
    const [track] = context.createMediaStreamDestination().stream.getAudioTracks();
    if (!track) throw new Error("no track of silence");
    return { track, stop: () => (track.stop(), void context.close()) };
  }
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
  const context = canvas.getContext("2d", { alpha: false });
  const timer = setInterval(() => {
    for (let i = 0; i < 400; i += 1) {
      const hue = Math.floor(Math.random() * 360);
      if (context) context.fillStyle = `hsl(${hue} 80% ${20 + Math.random() * 60}%)`;
      context?.fillRect(Math.random() * 640, Math.random() * 360, 40, 40);
    }
  }, 40);
  const [track] = canvas.captureStream(25).getVideoTracks();
  if (!track) throw new Error("no track of a picture");
  return { track, stop: () => (clearInterval(timer), track.stop()) };
}

/** Whether any of the relays answers; null when there are none. */
export async function relayReachable(iceServers: RTCIceServer[]): Promise<boolean | null> {
  const isRelay = (url: string) => url.startsWith("turn");
  if (!iceServers.some(({ urls }) => [urls].flat().some(isRelay))) return null;
  const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: "relay" });
  try {
    connection.createDataChannel("relay");
    const found = new Promise<boolean>((resolve) => {
      connection.addEventListener("icecandidate", ({ candidate }) => {
        if (candidate === null) resolve(false);
        else if (candidate.type === "relay") resolve(true);
      });
      setTimeout(() => resolve(false), RELAY_MS);
    });
    await connection.setLocalDescription();
    return await found;
  } finally {
    connection.close();
  }
}
