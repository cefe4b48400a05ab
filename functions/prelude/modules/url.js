// URL and URLSearchParams: what whatwg-url's own layer over its implementation does, written for the microseconds it takes. That layer is
// made for browsers' windows and costs several milliseconds in each fresh context.
import { implementation as UrlImplementation } from "whatwg-url/lib/URL-impl.js";
import { implementation as ParamsImplementation } from "whatwg-url/lib/URLSearchParams-impl.js";

const OWN = Symbol("an implementation, not what a script gives");
const usv = (value) => `${value}`.toWellFormed();
const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";

function need(values, count, name) {
  if (values.length < count) throw new TypeError(`${name} needs ${count} argument${count > 1 ? "s" : ""}`);
}

/** Pairs, a record, or text, as URLSearchParamsImpl takes them. */
function paramsOf(init) {
  if (!isObject(init)) return usv(init);
  if (init[Symbol.iterator] !== undefined && init[Symbol.iterator] !== null)
    return Array.from(init, (pair) => {
      if (!isObject(pair) || typeof pair[Symbol.iterator] !== "function") throw new TypeError("a pair of a name and a value is needed");
      return Array.from(pair, usv);
    });
  const record = Object.create(null);
  for (const key of Reflect.ownKeys(init))
    if (Reflect.getOwnPropertyDescriptor(init, key)?.enumerable) record[usv(key)] = usv(init[key]);
  return record;
}

// Looks at the list again at each step, which may have changed meanwhile.
const iteratorPrototype = Object.create(Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())), {
  [Symbol.toStringTag]: { value: "URLSearchParams Iterator", configurable: true },
  next: {
    value: function next() {
      const { list, at, of } = this[OWN]();
      return at < list.length ? { value: of(list[at]), done: false } : { value: undefined, done: true };
    },
    enumerable: true, writable: true, configurable: true,
  },
});

function iterate(implementation, of) {
  let at = 0;
  return Object.create(iteratorPrototype, { [OWN]: { value: () => ({ list: implementation._list, at: at++, of }) } });
}

export class URLSearchParams {
  #params;

  constructor(init = "") {
    this.#params = arguments[1] === OWN ? init : new ParamsImplementation(globalThis, [paramsOf(init)], {});
  }

  get size() { return this.#params.size; }
  append(name, value) { need(arguments, 2, "append"); this.#params.append(usv(name), usv(value)); }
  delete(name, value) { need(arguments, 1, "delete"); this.#params.delete(usv(name), value === undefined ? value : usv(value)); }
  get(name) { need(arguments, 1, "get"); return this.#params.get(usv(name)); }
  getAll(name) { need(arguments, 1, "getAll"); return this.#params.getAll(usv(name)); }
  has(name, value) { need(arguments, 1, "has"); return this.#params.has(usv(name), value === undefined ? value : usv(value)); }
  set(name, value) { need(arguments, 2, "set"); this.#params.set(usv(name), usv(value)); }
  sort() { this.#params.sort(); }
  toString() { return this.#params.toString(); }
  entries() { return iterate(this.#params, ([name, value]) => [name, value]); }
  keys() { return iterate(this.#params, ([name]) => name); }
  values() { return iterate(this.#params, ([, value]) => value); }

  forEach(callback, self) {
    if (typeof callback !== "function") throw new TypeError("forEach needs a function");
    for (const [name, value] of this) callback.call(self, value, name, this);
  }
}

export class URL {
  #url;
  #searchParams;

  constructor(url, base = undefined) {
    need(arguments, 1, "URL");
    this.#url = new UrlImplementation(globalThis, [usv(url), base === undefined ? base : usv(base)]);
  }

  static parse(url, base = undefined) {
    need(arguments, 1, "parse");
    const texts = [usv(url), base === undefined ? base : usv(base)];
    return UrlImplementation.canParse(...texts) ? new URL(...texts) : null;
  }

  static canParse(url, base = undefined) {
    need(arguments, 1, "canParse");
    return UrlImplementation.canParse(usv(url), base === undefined ? base : usv(base));
  }

  get href() { return this.#url.href; }
  set href(value) { this.#url.href = usv(value); }
  get origin() { return this.#url.origin; }
  get protocol() { return this.#url.protocol; }
  set protocol(value) { this.#url.protocol = usv(value); }
  get username() { return this.#url.username; }
  set username(value) { this.#url.username = usv(value); }
  get password() { return this.#url.password; }
  set password(value) { this.#url.password = usv(value); }
  get host() { return this.#url.host; }
  set host(value) { this.#url.host = usv(value); }
  get hostname() { return this.#url.hostname; }
  set hostname(value) { this.#url.hostname = usv(value); }
  get port() { return this.#url.port; }
  set port(value) { this.#url.port = usv(value); }
  get pathname() { return this.#url.pathname; }
  set pathname(value) { this.#url.pathname = usv(value); }
  get search() { return this.#url.search; }
  set search(value) { this.#url.search = usv(value); }
  get searchParams() { return (this.#searchParams ??= new URLSearchParams(this.#url.searchParams, OWN)); }
  get hash() { return this.#url.hash; }
  set hash(value) { this.#url.hash = usv(value); }
  toString() { return this.#url.href; }
  toJSON() { return this.#url.href; }
}

for (const [tag, { prototype }] of [["URL", URL], ["URLSearchParams", URLSearchParams]]) {
  for (const name of Object.getOwnPropertyNames(prototype)) if (name !== "constructor") Object.defineProperty(prototype, name, { enumerable: true });
  Object.defineProperty(prototype, Symbol.toStringTag, { value: tag, configurable: true });
}
Object.defineProperty(URLSearchParams.prototype, Symbol.iterator, { value: URLSearchParams.prototype.entries, writable: true, configurable: true });
