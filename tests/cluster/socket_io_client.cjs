// The unmodified socket.io-client with a static `auth`: joins, shows its resume token from then on, and
// leaves everything else to the library's own reconnection. Prints a line for each thing that happens.
// Arguments: the module's path, URL, token, channel, transports with commas.
const [, , modulePath, url, token, channelId, transports] = process.argv;
const { io } = require(modulePath);

const say = (...words) => process.stdout.write(`${words.join(" ")}\n`);
const auth = { token, deviceId: `of-${transports}` };
const socket = io(url, { auth, transports: transports.split(",") });
socket.on("connect", () => {
  say("connect");
  if (auth.resume) return;
  socket.emit("voice:join", { channelId }, (reply) => {
    auth.resume = reply.resumeToken;
    say(reply.ok ? "joined" : "refused", reply.sessionId ?? reply.code);
  });
});
socket.on("disconnect", (reason) => say("disconnect", reason));
socket.on("connect_error", (error) => say("connect_error", error.message));
socket.on("voice:resumed", ({ sessionId }) => say("resumed", sessionId));
socket.on("voice:error", ({ code }) => say("error", code));
