/** Requests over socket.io, answered either by the reply event or by the ack. */

const REPLY_OF = {
  "voice:join": "voice:joined",
  "voice:leave": "voice:left",
  "voice:rtc:getRouterRtpCapabilities": "voice:routerRtpCapabilities",
  "voice:rtc:createTransport": "voice:transportCreated",
  "voice:rtc:connectTransport": "voice:transportConnected",
  "voice:rtc:produce": "voice:produced",
  "voice:rtc:consume": "voice:consumed",
  "voice:rtc:pauseProducer": "voice:producerPaused",
  "voice:rtc:resumeProducer": "voice:producerResumed",
  "voice:rtc:closeProducer": "voice:producerClosed",
  "voice:rtc:pauseConsumer": "voice:consumerPaused",
  "voice:rtc:resumeConsumer": "voice:consumerResumed",
  "voice:rtc:setPreferredLayers": "voice:preferredLayersSet",
};

const TIMEOUT_MS = 10_000;

export class Refused extends Error {
  constructor(request, { code, error, details, fatal }) {
    super(`${request}: ${code}: ${error}`);
    Object.assign(this, { code, details, fatal });
  }
}

/** Waits for the event that carries the request's id; the page passes no callback at all. */
export function requestByReplyEvent(socket) {
  let last = 0;
  return (name, payload = {}) => {
    const requestId = `r${++last}`;
    const replyName = REPLY_OF[name];
    const errorName = name === "voice:join" ? "voice:error" : "voice:rtc:error";
    return new Promise((resolve, reject) => {
      const settle = (finish, value) => {
        clearTimeout(timer);
        socket.off(replyName, onReply);
        socket.off(errorName, onError);
        finish(value);
      };
      const onReply = (reply) => reply.requestId === requestId && settle(resolve, reply);
      const onError = (error) => error.requestId === requestId && settle(reject, new Refused(name, error));
      const timer = setTimeout(() => settle(reject, new Error(`no ${replyName} came`)), TIMEOUT_MS);
      socket.on(replyName, onReply);
      socket.on(errorName, onError);
      socket.emit(name, { ...payload, requestId });
    });
  };
}

/** Waits for the ack; the payload carries no request id. */
export function requestByAck(socket) {
  return async (name, payload = {}) => {
    const reply = await socket.timeout(TIMEOUT_MS).emitWithAck(name, payload);
    if (!reply.ok) throw new Refused(name, reply);
    return reply;
  };
}
