// Runs at the start of every context: puts the globals that people expect beside those of the engine. Everything
// large waits in a module of its own until a script first touches one of its names. `host` holds the native calls
// of src/function_host/natives.c; no script ever sees it.
(function bootstrap(host) {
  "use strict";
  const define = Object.defineProperty;
  const hidden = (object, name, value) => define(object, name, { value, writable: true, configurable: true, enumerable: false });

  const load = (module) => host.load(module)(load);
  const isLazy = (name) => Object.getOwnPropertyDescriptor(globalThis, name)?.get !== undefined;
  const lazily = (module, names) => {
    for (const name of names) {
      define(globalThis, name, {
        configurable: true,
        enumerable: false,
        get() {
          // The packages look whether the engine has the name itself; while they load, it has not.
          for (const each of names) if (isLazy(each)) delete globalThis[each];
          const loaded = load(module);
          for (const each of names) if (!(each in globalThis)) hidden(globalThis, each, loaded[each]);
          return loaded[name];
        },
        set(value) { hidden(globalThis, name, value); },
      });
    }
  };
  lazily("url", ["URL", "URLSearchParams"]);
  lazily("encoding", ["TextDecoder", "TextEncoder"]);
  lazily("clone", ["DOMException", "structuredClone"]);
  lazily("base64", ["atob", "btoa"]);

  let inspectValue;
  const text = (value) => {
    if (typeof value === "string") return value;
    inspectValue ??= load("inspect").inspectValue;
    return inspectValue(value);
  };
  const logger = (level) => (...values) => { host.log(level, values.map(text).join(" ")); };
  const info = logger("info");
  const counts = new Map(), times = new Map();
  hidden(globalThis, "console", {
    log: info, info, debug: logger("debug"), warn: logger("warn"), error: logger("error"), trace: logger("debug"),
    dir: info, table: info, group: info, groupCollapsed: info, groupEnd() {},
    assert(condition, ...values) { if (!condition) this.error("Assertion failed:", ...values); },
    count(label = "default") { counts.set(label, (counts.get(label) ?? 0) + 1); info(`${label}: ${counts.get(label)}`); },
    countReset(label = "default") { counts.delete(label); },
    time(label = "default") { times.set(label, host.now()); },
    timeLog(label = "default", ...values) { info(`${label}: ${(host.now() - times.get(label)).toFixed(3)} ms`, ...values); },
    timeEnd(label = "default") { this.timeLog(label); times.delete(label); },
  });

  const timer = (repeats) => (callback, delay, ...values) => {
    if (typeof callback !== "function") throw new TypeError("a timer needs a function");
    return host.setTimer(values.length ? () => callback(...values) : callback, Number(delay) || 0, repeats);
  };
  hidden(globalThis, "setTimeout", timer(false));
  hidden(globalThis, "setInterval", timer(true));
  const clear = (id) => { host.clearTimer(Number(id) || 0); };
  hidden(globalThis, "clearTimeout", clear);
  hidden(globalThis, "clearInterval", clear);
  hidden(globalThis, "queueMicrotask", (callback) => {
    if (typeof callback !== "function") throw new TypeError("queueMicrotask needs a function");
    Promise.resolve().then(callback).catch((error) => { console.error("in a microtask:", error); });
  });
  hidden(globalThis, "performance", { now: host.now, timeOrigin: Date.now() - host.now() });

  const QUOTA = 65536;
  hidden(globalThis, "crypto", {
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
  });

  // Workers are forked from one engine, so the engine's own generator would repeat itself from one to the next:
  // this one (sfc32) is seeded by the kernel when it is first asked.
  let a, b, c, count = 0;
  const next = () => {
    const sum = (a + b + count) | 0;
    count = (count + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  hidden(Math, "random", function random() {
    if (count === 0) {
      [a, b, c] = new Int32Array(host.fillRandom(new Uint8Array(12)).buffer);
      count = 1;
      for (let round = 0; round < 12; round++) next();
    }
    return ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
  });

  // The engine compiles asynchronously on a run loop, which a worker has not; the promise forms run at once.
  const { Module, Instance } = WebAssembly;
  const compile = async (bytes) => new Module(bytes);
  hidden(WebAssembly, "compile", compile);
  hidden(WebAssembly, "instantiate", async (source, imports) => {
    if (source instanceof Module) return new Instance(source, imports);
    const module = await compile(source);
    return { module, instance: new Instance(module, imports) };
  });

  hidden(globalThis, "module", { exports: {} });
  hidden(globalThis, "exports", globalThis.module.exports);
})
