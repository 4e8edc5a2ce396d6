/** What the page asks of the browser; a browser may give less. */

export async function captureMicrophone(): Promise<MediaStreamTrack> {
  const stream = await mediaDevices().getUserMedia({
    audio: {
      echoCancellation: { ideal: true },
      noiseSuppression: { ideal: true },
      autoGainControl: { ideal: true },
      sampleRate: { ideal: 48_000 },
      channelCount: { ideal: 1 },
    },
  });
  return first(stream);
}

export async function captureCamera(): Promise<MediaStreamTrack> {
  const stream = await mediaDevices().getUserMedia({
    video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
  });
  return first(stream);
}

export async function captureScreen(): Promise<MediaStreamTrack> {
  const stream = await mediaDevices().getDisplayMedia({ video: { frameRate: { ideal: 15 } } });
  const track = first(stream);
  track.contentHint = "detail";
  return track;
}

/** Browsers hide capture from pages that came over plain HTTP from another machine. */
export class CaptureUnavailable extends Error {}

function mediaDevices(): MediaDevices {
  if (!navigator.mediaDevices) throw new CaptureUnavailable("no capture outside a secure context");
  return navigator.mediaDevices;
}

function first(stream: MediaStream): MediaStreamTrack {
  const [track] = stream.getTracks();
  if (!track) throw new CaptureUnavailable("the browser gave no track");
  return track;
}
