/** Of the Rail Gun server. */
export const url = import.meta.env.VITE_RAILGUN_URL ?? "http://127.0.0.1:8080";

// For trials: a server in development mode gives tokens for its secret, which this page was opened with as
// `#secret=…`. In your application, ask your own server instead; ../tokens has it in Node, Python and Go.
const secret = new URLSearchParams(location.hash.slice(1)).get("secret");
history.replaceState(null, "", location.pathname);
const userId = crypto.randomUUID();

export async function token() {
  const response = await fetch(`${url}/dev/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ userId, tier: "pro", name: "Guest", secret }),
  });
  if (!response.ok) throw new Error("Open this page with the secret that the server printed: /#secret=…");
  return (await response.json()).token;
}
