// Keeps the files of the page for the next visit, also without a connection, and adds headers: those that isolate the
// page from other sites, so that WebAssembly may use threads, and the policy that forbids to contact other hosts.
//
// `fer web` writes above this: FILES, the SHA-256 of each file by its path, and HEADERS. A file is kept under its path
// and checksum, so an update loads only what has changed. Large files are kept when the page first asks for them: it
// needs one of two runtimes.
const SCOPE = registration.scope;
const CACHE = `dan-fer ${SCOPE}`; // other folders of the same host have their own
const isLarge = (path) => path.startsWith("runtime/") || path.endsWith(".onnx");
const address = (path) => SCOPE + (path === "index.html" ? "" : path);
const keyOf = (path) => `${SCOPE}${path}?${encodeURIComponent(FILES[path])}`;

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(activate()));
addEventListener("message", ({ data }) => data === "activate" && skipWaiting());
addEventListener("fetch", (event) => {
  const { method, url } = event.request, path = url.slice(SCOPE.length).split(/[?#]/)[0] || "index.html";
  if (method === "GET" && url.startsWith(SCOPE) && Object.hasOwn(FILES, path)) event.respondWith(answer(event, path));
});

async function install() {
  const cache = await caches.open(CACHE), kept = (await cache.keys()).map(({ url }) => url);
  const isUsed = (path) => kept.some((url) => url.startsWith(`${SCOPE}${path}?`)); // in an older version
  const wanted = Object.keys(FILES).filter((path) => !isLarge(path) || isUsed(path));
  await Promise.all(wanted.filter((path) => !kept.includes(keyOf(path))).map((path) => load(cache, path)));
}

async function load(cache, path) {
  const response = await fetch(address(path), { cache: "no-cache", integrity: FILES[path] });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  await cache.put(keyOf(path), response);
}

async function activate() {
  const cache = await caches.open(CACHE), current = Object.keys(FILES).map(keyOf);
  const old = (await cache.keys()).filter(({ url }) => !current.includes(url));
  await Promise.all(old.map((request) => cache.delete(request)));
  await clients.claim();
}

async function answer(event, path) {
  const cache = await caches.open(CACHE), kept = await cache.match(keyOf(path));
  if (kept) return addHeaders(kept);
  const response = await fetch(address(path), { cache: "no-cache" });
  if (response.ok) event.waitUntil(keep(cache, path, response.clone()));
  return addHeaders(response);
}

// Keep a file that the page is loading, if it is the one of this version.
async function keep(cache, path, response) {
  const content = await response.arrayBuffer(), digest = await crypto.subtle.digest("SHA-256", content);
  const checksum = `sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}`;
  if (checksum === FILES[path]) await cache.put(keyOf(path), new Response(content, response));
}

function addHeaders(response) {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
