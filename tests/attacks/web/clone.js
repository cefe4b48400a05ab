// structuredClone and DOMException: what HTML says of each kind of value. Answers what does not hold.

const wrong = [];

function holds(what, run) {
  let got;
  try {
    got = run();
  } catch (error) {
    got = `${error}`;
  }
  if (got !== true) wrong.push(`${what}: ${String(got)}`);
}

function refuses(what, value, options) {
  holds(`refuses ${what}`, () => {
    try {
      structuredClone(value, options);
    } catch (error) {
      return error instanceof DOMException && error.name === "DataCloneError" && error.code === DOMException.DATA_CLONE_ERR;
    }
    return "it was cloned";
  });
}

const sameBytes = (a, b) => a !== b && a.byteLength === b.byteLength && new Uint8Array(a).every((byte, at) => byte === new Uint8Array(b)[at]);

function values() {
  for (const value of [undefined, null, true, false, 0, -0, 1.5, NaN, Infinity, "", "text \ud800", 10n ** 30n])
    holds(`a primitive, ${String(value)}`, () => Object.is(structuredClone(value), value));
  for (const value of [Object(true), Object(1), Object("text"), Object(10n)])
    holds(`a boxed ${typeof value.valueOf()}`, () => {
      const copy = structuredClone(value);
      return copy !== value && copy.valueOf() === value.valueOf() && Object.getPrototypeOf(copy) === Object.getPrototypeOf(value);
    });
  holds("a date", () => structuredClone(new Date(5)).getTime() === 5);
  holds("no date", () => Number.isNaN(structuredClone(new Date(NaN)).getTime()));
  holds("an expression", () => {
    const value = /a(b)?/giu;
    value.lastIndex = 3;
    const copy = structuredClone(value);
    return copy.source === value.source && copy.flags === "giu" && copy.lastIndex === 0 && value.lastIndex === 3;
  });
}

function containers() {
  holds("an array with a hole and a name", () => {
    const value = [1, , 3];
    value.name = "n";
    const copy = structuredClone(value);
    return Array.isArray(copy) && copy.length === 3 && !(1 in copy) && copy[2] === 3 && copy.name === "n";
  });
  holds("a long, empty array", () => structuredClone(new Array(1000)).length === 1000);
  holds("an object's own enumerable names", () => {
    const value = Object.create({ inherited: 1 }, { hidden: { value: 1 }, shown: { get: () => "got", enumerable: true } });
    value[Symbol("s")] = 1;
    const copy = structuredClone(value);
    return JSON.stringify(copy) === '{"shown":"got"}' && Object.getPrototypeOf(copy) === Object.prototype && Object.getOwnPropertySymbols(copy).length === 0;
  });
  holds("__proto__ is a name like others", () => {
    const copy = structuredClone(JSON.parse('{"__proto__":{"polluted":true}}'));
    return Object.hasOwn(copy, "__proto__") && copy.polluted === undefined && {}.polluted === undefined;
  });
  holds("an instance of a class is a plain object", () => {
    const copy = structuredClone(new (class Point { #secret = 1; x = 2; get secret() { return this.#secret; } })());
    return Object.getPrototypeOf(copy) === Object.prototype && copy.x === 2;
  });
  holds("a map, in order, with its keys cloned", () => {
    const key = { a: 1 }, copy = structuredClone(new Map([["z", 1], [key, new Set([key])]]));
    const [[, one], [cloned, set]] = [...copy];
    return one === 1 && cloned !== key && cloned.a === 1 && set.has(cloned) && !set.has(key);
  });
  holds("rings and what is met twice", () => {
    const value = { list: [], map: new Map() };
    value.self = value;
    value.list.push(value.list, value.map);
    value.map.set(value, value);
    const copy = structuredClone(value);
    return copy.self === copy && copy.list[0] === copy.list && copy.list[1] === copy.map && copy.map.get(copy) === copy;
  });
  holds("a name that a getter takes away", () => {
    const value = { get a() { delete value.b; return 1; }, b: 2 };
    return JSON.stringify(structuredClone(value)) === '{"a":1}';
  });
  holds("what a getter throws", () => {
    try {
      structuredClone({ get a() { throw new RangeError("mine"); } });
    } catch (error) {
      return error instanceof RangeError && error.message === "mine";
    }
    return false;
  });
  holds("a setter of Object.prototype is not called", () => {
    Object.defineProperty(Object.prototype, "trap", { set() { throw new Error("called"); }, configurable: true });
    const copy = structuredClone({ trap: 1 });
    delete Object.prototype.trap;
    return copy.trap === 1;
  });
  for (const tag of ["Date", "Map", "Set", "Array", "Error", "RegExp", "ArrayBuffer", "DOMException", "Number"])
    holds(`an object that says it is a ${tag}`, () => JSON.stringify(structuredClone({ a: 1, [Symbol.toStringTag]: tag })) === '{"a":1}');
}

function buffers() {
  const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
  holds("a buffer", () => sameBytes(structuredClone(bytes.buffer), bytes.buffer));
  holds("a view, with its whole buffer", () => {
    const copy = structuredClone(bytes.subarray(2, 4));
    return copy instanceof Uint8Array && copy.length === 2 && copy[0] === 3 && copy.byteOffset === 2 && sameBytes(copy.buffer, bytes.buffer);
  });
  holds("two views of one buffer", () => {
    const copy = structuredClone([new Uint16Array(bytes.buffer, 2, 2), new DataView(bytes.buffer, 1, 3)]);
    return copy[0].buffer === copy[1].buffer && copy[0].length === 2 && copy[1].byteLength === 3 && copy[1].getUint8(0) === 2;
  });
  for (const Kind of [Int8Array, Uint8ClampedArray, Int16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array])
    holds(Kind.name, () => structuredClone(new Kind(2)) instanceof Kind);
  holds("a buffer that can be resized, and a view that follows it", () => {
    const value = new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 })), copy = structuredClone(value);
    copy.buffer.resize(6);
    return copy.length === 6 && copy.buffer.maxByteLength === 8 && value.length === 4;
  });
  holds("what is transferred", () => {
    const value = new Uint8Array([1, 2, 3]), { buffer } = value;
    const copy = structuredClone({ value, buffer }, { transfer: [buffer] });
    return copy.value[2] === 3 && copy.value.buffer === copy.buffer && buffer.detached && value.length === 0;
  });
  holds("what is transferred and not cloned", () => {
    const buffer = new ArrayBuffer(1);
    structuredClone(null, { transfer: [buffer] });
    return buffer.detached;
  });
  holds("nothing is transferred where something cannot be cloned", () => {
    const buffer = new ArrayBuffer(1);
    try {
      structuredClone([buffer, () => {}], { transfer: [buffer] });
    } catch {
      return !buffer.detached;
    }
    return false;
  });
  const detached = new ArrayBuffer(1);
  detached.transfer();
  refuses("a detached buffer", detached);
  refuses("to transfer a detached buffer", null, { transfer: [detached] });
  refuses("to transfer what is no buffer", null, { transfer: [{}] });
  refuses("to transfer twice", null, { transfer: [bytes.buffer, bytes.buffer] });
}

function errors() {
  for (const Kind of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError])
    holds(Kind.name, () => {
      const value = new Kind("why"), copy = structuredClone(value);
      return copy !== value && Object.getPrototypeOf(copy) === Kind.prototype && copy.message === "why" && copy.stack === value.stack;
    });
  holds("an error of one's own is an Error", () => {
    const copy = structuredClone(Object.assign(new (class Mine extends Error {})("why"), { name: "Mine" }));
    return Object.getPrototypeOf(copy) === Error.prototype && copy.message === "why" && copy.name === "Error";
  });
  holds("an error without a message", () => !Object.hasOwn(structuredClone(new Error()), "message"));
  holds("DOMException", () => {
    const error = new DOMException("why", "AbortError"), copy = structuredClone(error);
    return [error, copy].every((each) => each instanceof DOMException && each instanceof Error && each.name === "AbortError" && each.message === "why" &&
      each.code === 20 && String(each) === "AbortError: why" && typeof each.stack === "string") && copy !== error;
  });
  holds("DOMException's defaults and constants", () => {
    const error = new DOMException();
    return error.name === "Error" && error.message === "" && error.code === 0 && new DOMException("", "Own").code === 0 &&
      new DOMException("", "toString").code === 0 && DOMException.INDEX_SIZE_ERR === 1 && error.DATA_CLONE_ERR === 25 &&
      Object.prototype.toString.call(error) === "[object DOMException]";
  });
}

function handler() {
  values();
  containers();
  buffers();
  errors();
  refuses("a function", () => {});
  refuses("a symbol", Symbol("s"));
  refuses("a boxed symbol", Object(Symbol("s")));
  refuses("a function within", [{ a: new Map([[1, { f() {} }]]) }]);
  refuses("a promise", Promise.resolve());
  refuses("a WeakMap", new WeakMap());
  refuses("a WeakSet", new WeakSet());
  refuses("a WeakRef", new WeakRef({}));
  refuses("a generator", (function* () {})());
  refuses("an iterator", [].values());
  refuses("a URL", new URL("http://a.example/"));
  holds("a value must be given", () => {
    try {
      structuredClone();
    } catch (error) {
      return error instanceof TypeError;
    }
    return false;
  });
  return wrong;
}
