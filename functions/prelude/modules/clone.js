// structuredClone: https://html.spec.whatwg.org/#structured-cloning. Of platform objects, DOMException alone can be cloned. What may be
// transferred, an ArrayBuffer, is copied and then detached, which a script cannot tell from a move.

const ERRORS = { __proto__: null, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
const NOT_DATA =
  /^(Promise|Weak(Map|Set|Ref)|FinalizationRegistry|(Async)?Generator|.* Iterator|Symbol|(WebAssembly|Intl)\..*|URL(SearchParams)?|Text(En|De)coder)$/;

function refuse(what) {
  const { DOMException } = load("exception");
  throw new DOMException(`${what} cannot be cloned`, "DataCloneError");
}

const put = (object, key, value, enumerable = true) =>
  Object.defineProperty(object, key, { __proto__: null, value, enumerable, writable: true, configurable: true });

function copyBuffer(buffer) {
  if (buffer.detached) refuse("a detached ArrayBuffer");
  if (!buffer.resizable) return buffer.slice(0);
  const copy = new ArrayBuffer(buffer.byteLength, { maxByteLength: buffer.maxByteLength });
  new Uint8Array(copy).set(new Uint8Array(buffer));
  return copy;
}

// A script cannot ask whether a view follows the length of its buffer: it does if it reaches the end of one that can be resized.
const typedArray = Object.getPrototypeOf(Uint8Array.prototype);
function copyView(view, clone) {
  const name = Reflect.get(typedArray, Symbol.toStringTag, view) ?? "DataView";
  const buffer = clone(view.buffer);
  const follows = buffer.resizable && view.byteOffset + view.byteLength === buffer.byteLength;
  return new globalThis[name](buffer, view.byteOffset, follows ? undefined : name === "DataView" ? view.byteLength : view.length);
}

function copyError(error) {
  const { name } = error, message = Object.getOwnPropertyDescriptor(error, "message");
  const copy = new (ERRORS[name] ?? Error)();
  if (message && "value" in message) put(copy, "message", `${message.value}`, false);
  if (typeof error.stack === "string") put(copy, "stack", error.stack, false);
  return copy;
}

function copyException(error) {
  const { DOMException } = load("exception");
  return new DOMException(error.message, error.name);
}

// By tag: whether a value is what its tag says (throws if not), and a copy without what it holds.
const slot = (prototype, method) => (value) => prototype[method].call(value);
const boxed = (prototype) => [slot(prototype, "valueOf"), (value) => Object(prototype.valueOf.call(value))];
const require = (is) => (value) => { if (!is(value)) throw value; };
const isGlobal = Object.getOwnPropertyDescriptor(RegExp.prototype, "global").get;
const KINDS = {
  __proto__: null,
  Array: [require(Array.isArray), (value) => new Array(value.length)],
  ArrayBuffer: [slot(Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength"), "get"), copyBuffer],
  BigInt: boxed(BigInt.prototype),
  Boolean: boxed(Boolean.prototype),
  DOMException: [require((value) => value instanceof load("exception").DOMException), copyException],
  Date: [slot(Date.prototype, "getTime"), (value) => new Date(Date.prototype.getTime.call(value))],
  Error: [require((value) => value instanceof Error), copyError],
  Map: [slot(Map.prototype, "has"), () => new Map()],
  Number: boxed(Number.prototype),
  RegExp: [(value) => isGlobal.call(value), (value) => new RegExp(value.source, value.flags)],
  Set: [slot(Set.prototype, "has"), () => new Set()],
  String: boxed(String.prototype),
};

function kindOf(value) {
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (NOT_DATA.test(tag)) refuse(`what is a ${tag}`);
  try {
    KINDS[tag]?.[0](value);
    return tag;
  } catch {
    return "Object";
  }
}

function fill(copy, value, kind, clone) {
  if (kind === "Map") for (const [key, each] of [...value]) copy.set(clone(key), clone(each));
  else if (kind === "Set") for (const each of [...value]) copy.add(clone(each));
  else if (kind === "Array" || !(kind in KINDS))
    for (const key of Object.keys(value)) if (Object.hasOwn(value, key)) put(copy, key, clone(value[key]));
}

function transferred(options) {
  const buffers = [...(options?.transfer ?? [])];
  for (const buffer of buffers)
    if (!(buffer instanceof ArrayBuffer) || buffer.detached) refuse("what is to be transferred and is no attached ArrayBuffer");
  if (new Set(buffers).size < buffers.length) refuse("what is to be transferred twice");
  return buffers;
}

export function structuredClone(value, options) {
  if (arguments.length === 0) throw new TypeError("structuredClone needs a value");
  const buffers = transferred(options), copies = new Map();
  const clone = (each) => {
    if (typeof each === "symbol" || typeof each === "function") refuse(`a ${typeof each}`);
    if (typeof each !== "object" || each === null) return each;
    if (copies.has(each)) return copies.get(each);
    const isView = ArrayBuffer.isView(each), kind = isView ? null : kindOf(each);
    const copy = isView ? copyView(each, clone) : KINDS[kind] ? KINDS[kind][1](each) : {};
    copies.set(each, copy);
    if (!isView) fill(copy, each, kind, clone);
    return copy;
  };
  const copy = clone(value);
  for (const buffer of buffers) buffer.transfer();
  return copy;
}
