import { VoiceError } from "../errors";

export interface DeviceList {
  microphones: MediaDeviceInfo[];
  speakers: MediaDeviceInfo[];
  cameras: MediaDeviceInfo[];
}

/** Devices to choose from. Their names are empty until the user has once allowed one. */
export async function listDevices(): Promise<DeviceList> {
  const devices = await mediaDevices().enumerateDevices();
  const of = (kind: MediaDeviceKind) => devices.filter((device) => device.kind === kind);
  return { microphones: of("audioinput"), speakers: of("audiooutput"), cameras: of("videoinput") };
}

/** Calls back when a device comes or goes; gives back how to stop that. */
export function onDevicesChanged(handler: () => void): () => void {
  if (!navigator.mediaDevices) return () => undefined;
  navigator.mediaDevices.addEventListener("devicechange", handler);
  return () => navigator.mediaDevices.removeEventListener("devicechange", handler);
}

/** The contract's wishes; a browser may give less. */
export async function captureMicrophone(deviceId: string): Promise<MediaStreamTrack> {
  const wishes: MediaTrackConstraints & { latency?: ConstrainDouble } = {
    echoCancellation: { ideal: true },
    noiseSuppression: { ideal: true },
    autoGainControl: { ideal: true },
    sampleRate: { ideal: 48_000 },
    latency: { ideal: 0.01 },
    ...(deviceId && { deviceId: { exact: deviceId } }),
  };
  try {
    return await capture({ audio: { ...wishes, channelCount: { exact: 1 } } });
  } catch (error) {
    // Some devices give two channels or nothing; the encoder makes one of them.
    if (!(error instanceof VoiceError && error.code === "DEVICE_NOT_FOUND")) throw error;
    return capture({ audio: { ...wishes, channelCount: { ideal: 1 } } });
  }
}

export async function captureCamera(deviceId: string): Promise<MediaStreamTrack> {
  const track = await capture({
    video: {
      width: { ideal: 1280 },
      height: { ideal: 720 },
      frameRate: { ideal: 30 },
      ...(deviceId && { deviceId: { exact: deviceId } }),
    },
  });
  track.contentHint = "motion";
  return track;
}

/** A screen, and its sound where the user shares it as well. */
export async function captureScreen(): Promise<{ video: MediaStreamTrack; audio: MediaStreamTrack | null }> {
  try {
    const stream = await mediaDevices().getDisplayMedia({
      video: { frameRate: { ideal: 15, max: 30 } },
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    const [video] = stream.getVideoTracks();
    if (!video) throw new VoiceError("DEVICE_NOT_FOUND", "the browser gave no track");
    video.contentHint = "detail";
    return { video, audio: stream.getAudioTracks()[0] ?? null };
  } catch (error) {
    throw VoiceError.from(error);
  }
}

async function capture(constraints: MediaStreamConstraints): Promise<MediaStreamTrack> {
  try {
    const [track] = (await mediaDevices().getUserMedia(constraints)).getTracks();
    if (!track) throw new VoiceError("DEVICE_NOT_FOUND", "the browser gave no track");
    return track;
  } catch (error) {
    throw VoiceError.from(error);
  }
}

/** Browsers hide capture from pages that came over plain HTTP from another machine. */
function mediaDevices(): MediaDevices {
  if (navigator.mediaDevices) return navigator.mediaDevices;
  throw new VoiceError("CAPTURE_UNAVAILABLE", "devices are given only over HTTPS, or on this machine");
}
