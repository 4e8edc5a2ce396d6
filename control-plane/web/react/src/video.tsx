import type { VideoSource } from "@railgun/voice";
import { type RefObject, useEffect, useRef } from "react";
import { useVoice } from "./provider";

/** Plays a video track. Sound has elements of its own, so it is always muted and may start by itself. */
export function Video({ track, label }: { track: MediaStreamTrack; label: string }) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = element.current;
    if (!video) return;
    video.muted = true;
    video.srcObject = new MediaStream([track]);
    video.play()?.catch(() => undefined);
    return () => void (video.srcObject = null);
  }, [track]);
  return <video ref={element} className="rg-video" autoPlay playsInline muted aria-label={label} />;
}

/** Tells the service how large an element is in sight, so that no more of the video is received than is shown. */
export function useViewport(
  ref: RefObject<Element | null>,
  sessionId: string | null,
  source: VideoSource,
): void {
  const voice = useVoice();
  useEffect(() => {
    const element = ref.current;
    if (!element || sessionId === null) return;
    let isSeen = false;
    const tell = () => {
      const { width, height } = element.getBoundingClientRect();
      const size = { width, height, pixelRatio: devicePixelRatio };
      voice.setViewport(sessionId, source, isSeen && document.visibilityState === "visible" ? size : null);
    };
    const seen = new IntersectionObserver((entries) => {
      isSeen = entries.at(-1)?.isIntersecting ?? false;
      tell();
    });
    const resized = new ResizeObserver(tell);
    seen.observe(element);
    resized.observe(element);
    document.addEventListener("visibilitychange", tell);
    return () => {
      seen.disconnect();
      resized.disconnect();
      document.removeEventListener("visibilitychange", tell);
    };
  }, [voice, ref, sessionId, source]);
}
