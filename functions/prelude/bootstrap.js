// Runs at the start of every context: puts the globals that people expect beside those of the engine. Everything large waits in a
// module of its own until a script first touches one of its names. `host` holds the native calls of
// src/function_host/natives.c; no script ever sees it.
//
// It is written for the microseconds it takes: making a closure costs next to nothing, running one for the first time in a context
// costs as much as fifty, so nothing is called here but the two calls at the end.
(function bootstrap(host) {
  "use strict";
  const loaded = { __proto__: null };
  // Bundled, they are called something shorter.
  const named = (values) => {
    for (const name in values) Object.defineProperty(values[name], "name", { value: name, configurable: true });
    return values;
  };
  const load = (module) => (loaded[module] ??= named(host.load(module)(load)));
  const define = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

  const MODULES = { url: ["URL", "URLSearchParams"], encoding: ["TextDecoder", "TextEncoder"], exception: ["DOMException"], clone: ["structuredClone"], base64: ["atob", "btoa"] };
  const use = (module, name) => {
    // The packages look whether the engine has the name itself; while they load, it has not.
    for (const each of MODULES[module])
      if (Object.getOwnPropertyDescriptor(globalThis, each)?.get) delete globalThis[each];
    const values = load(module);
    for (const each of MODULES[module]) if (!(each in globalThis)) define(each, values[each]);
    return values[name];
  };

  let counts, times;
  const text = (value) => {
    if (typeof value === "string") return value;
    return load("inspect").inspectValue(value);
  };
  const line = (values) => {
    const [first] = values;
    if (values.length > 1 && typeof first === "string" && first.includes("%")) return load("inspect").formatValues(values);
    return values.map(text).join(" ");
  };
  const say = (level, values) => { host.log(level, line(values)); };
  const console = {
    log(...values) { say("info", values); },
    info(...values) { say("info", values); },
    debug(...values) { say("debug", values); },
    warn(...values) { say("warn", values); },
    error(...values) { say("error", values); },
    trace(...values) { say("debug", values); },
    dir(value) { say("info", [value]); },
    table(value) { say("info", [value]); },
    group(...values) { say("info", values); },
    groupCollapsed(...values) { say("info", values); },
    groupEnd() {},
    assert(condition, ...values) {
      if (condition) return;
      if (typeof values[0] === "string") values[0] = `Assertion failed: ${values[0]}`;
      else values.unshift("Assertion failed:");
      say("error", values);
    },
    count(label = "default") {
      counts ??= new Map();
      counts.set(label, (counts.get(label) ?? 0) + 1);
      say("info", [`${label}: ${counts.get(label)}`]);
    },
    countReset(label = "default") { counts?.delete(label); },
    time(label = "default") { (times ??= new Map()).set(label, host.now()); },
    timeLog(label = "default", ...values) { say("info", [`${label}: ${(host.now() - times?.get(label)).toFixed(3)} ms`, ...values]); },
    timeEnd(label = "default") { console.timeLog(label); times?.delete(label); },
  };

  const start = (callback, delay, values, repeats) => {
    if (typeof callback !== "function") throw new TypeError("a timer needs a function");
    return host.setTimer(values.length ? () => callback(...values) : callback, Number(delay) || 0, repeats);
  };

  const QUOTA = 65536;
  const crypto = {
    getRandomValues(array) {
      if (!ArrayBuffer.isView(array) || array instanceof DataView || array instanceof Float32Array || array instanceof Float64Array)
        throw new TypeError("getRandomValues needs an integer typed array");
      if (array.byteLength > QUOTA) throw new RangeError(`getRandomValues fills at most ${QUOTA} bytes`);
      host.fillRandom(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
      return array;
    },
    randomUUID() {
      const bytes = host.fillRandom(new Uint8Array(16));
      bytes[6] = (bytes[6] & 0x0f) | 0x40;
      bytes[8] = (bytes[8] & 0x3f) | 0x80;
      const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    },
  };

  // Workers are forked from one engine, so the engine's own generator would repeat itself from one to the next: this one
  // (sfc32) is seeded by the kernel when it is first asked.
  let a, b, c, count = 0;
  const next = () => {
    const sum = (a + b + count) | 0;
    count = (count + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  Math.random = function random() {
    if (count === 0) {
      [a, b, c] = new Int32Array(host.fillRandom(new Uint8Array(12)).buffer);
      count = 1;
      for (let round = 0; round < 12; round++) next();
    }
    return ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
  };

  // The engine compiles asynchronously on a run loop, which a worker has not; the promise forms run at once.
  WebAssembly.compile = async (bytes) => new WebAssembly.Module(bytes);
  WebAssembly.instantiate = async (source, imports) => {
    if (source instanceof WebAssembly.Module) return new WebAssembly.Instance(source, imports);
    const module = new WebAssembly.Module(source);
    return { module, instance: new WebAssembly.Instance(module, imports) };
  };

  const exports = {};
  Object.defineProperties(globalThis, {
    URL: { configurable: true, get() { return use("url", "URL"); }, set(value) { define("URL", value); } },
    URLSearchParams: { configurable: true, get() { return use("url", "URLSearchParams"); }, set(value) { define("URLSearchParams", value); } },
    TextDecoder: { configurable: true, get() { return use("encoding", "TextDecoder"); }, set(value) { define("TextDecoder", value); } },
    TextEncoder: { configurable: true, get() { return use("encoding", "TextEncoder"); }, set(value) { define("TextEncoder", value); } },
    DOMException: { configurable: true, get() { return use("exception", "DOMException"); }, set(value) { define("DOMException", value); } },
    structuredClone: { configurable: true, get() { return use("clone", "structuredClone"); }, set(value) { define("structuredClone", value); } },
    atob: { configurable: true, get() { return use("base64", "atob"); }, set(value) { define("atob", value); } },
    btoa: { configurable: true, get() { return use("base64", "btoa"); }, set(value) { define("btoa", value); } },
    console: { value: console, writable: true, configurable: true },
    crypto: { value: crypto, writable: true, configurable: true },
    performance: {
      value: { now() { return host.now(); }, get timeOrigin() { return Date.now() - host.now(); } }, writable: true, configurable: true,
    },
    setTimeout: { value: (callback, delay, ...values) => start(callback, delay, values, false), writable: true, configurable: true },
    setInterval: { value: (callback, delay, ...values) => start(callback, delay, values, true), writable: true, configurable: true },
    clearTimeout: { value: (id) => { host.clearTimer(Number(id) || 0); }, writable: true, configurable: true },
    clearInterval: { value: (id) => { host.clearTimer(Number(id) || 0); }, writable: true, configurable: true },
    queueMicrotask: {
      value: (callback) => {
        if (typeof callback !== "function") throw new TypeError("queueMicrotask needs a function");
        Promise.resolve().then(callback).catch((error) => { say("error", ["in a microtask:", error]); });
      },
      writable: true, configurable: true,
    },
    module: { value: { exports }, writable: true, configurable: true },
    exports: { value: exports, writable: true, configurable: true },
  });
})
