// What console.log shows of values that are no strings: as Node.js does, on one line. Getters are named, not run, and whatever a value does, showing
// it does not throw.
const DEPTH_MAX = 4;
const ITEMS_MAX = 100; // of one value
const VALUES_MAX = 2000; // objects of one line
const TEXT_MAX = 4096;

const BOXES = { Number, String, Boolean, Symbol, BigInt };
const descriptor = Object.getOwnPropertyDescriptor;
const tagOf = (value) => Object.prototype.toString.call(value).slice(8, -1);

function quote(text) {
  const cut = text.length > TEXT_MAX ? `... ${text.length - TEXT_MAX} more characters` : "";
  const escaped = JSON.stringify(text.slice(0, TEXT_MAX)).slice(1, -1).replace(/\\"/g, '"');
  if (!escaped.includes("'")) return `'${escaped}'${cut}`;
  return (escaped.includes('"') ? `'${escaped.replace(/'/g, "\\'")}'` : `"${escaped}"`) + cut;
}

/** The name of the class, "" of a plain object, null where there is no prototype. */
function classOf(value) {
  for (let at = Object.getPrototypeOf(value), first = true; at; at = Object.getPrototypeOf(at), first = false) {
    const maker = descriptor(at, "constructor")?.value;
    if (typeof maker === "function" && maker.name) return first && at === Object.prototype ? "" : maker.name;
  }
  return null;
}

function functionHead(value) {
  const name = descriptor(value, "name")?.value || "(anonymous)";
  const parent = Object.getPrototypeOf(value)?.name;
  if (/^class\b/.test(Function.prototype.toString.call(value))) return `[class ${name}${parent ? ` extends ${parent}` : ""}]`;
  return `[${tagOf(value)}${name === "(anonymous)" ? " " : ": "}${name}]`;
}

class Line {
  left = VALUES_MAX;
  path = [];

  show(value) {
    if (typeof value === "string") return quote(value);
    if (typeof value === "bigint") return `${value}n`;
    if (Object.is(value, -0)) return "-0";
    if (value === null || (typeof value !== "object" && typeof value !== "function")) return String(value);
    if (this.path.includes(value)) return "[Circular]";
    if (--this.left < 0) return "...";
    this.path.push(value);
    try {
      return this.showObject(value);
    } catch {
      return "[a value that cannot be shown]";
    } finally {
      this.path.pop();
    }
  }

  showObject(value) {
    if (typeof value === "function") return this.withProperties(functionHead(value), value);
    if (value instanceof Error) return this.showError(value);
    const tag = tagOf(value), name = classOf(value) ?? `[${tag}: null prototype]`;
    if (value instanceof Date) return isNaN(value) ? "Invalid Date" : Date.prototype.toISOString.call(value);
    if (value instanceof RegExp) return this.withProperties(RegExp.prototype.toString.call(value), value);
    if (Object.hasOwn(BOXES, tag) && value instanceof BOXES[tag]) return `[${tag}: ${this.show(BOXES[tag].prototype.valueOf.call(value))}]`;
    if (this.path.length > DEPTH_MAX + 1) return Array.isArray(value) ? "[Array]" : `[${name || "Object"}]`;
    if (Array.isArray(value)) return this.list(name === "Array" ? "" : `${name}(${value.length}) `, value);
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return this.list(`${name}(${value.length}) `, value);
    if (tag === "Arguments") return this.list("[Arguments] ", value);
    if (value instanceof Map) return this.braces(`${name}(${value.size})`, this.pairs(Map.prototype.entries.call(value)), value);
    if (value instanceof Set) return this.braces(`${name}(${value.size})`, this.some(Set.prototype.values.call(value), (item) => this.show(item)), value);
    if (tag === "WeakMap" || tag === "WeakSet") return `${name} { <items unknown> }`;
    if (value instanceof ArrayBuffer || value instanceof DataView) return `${name} { byteLength: ${value.byteLength} }`;
    if (tag === "URL" && name === tag) return `URL { href: ${quote(value.href)} }`;
    if (tag === "URLSearchParams" && name === tag) return this.braces(name, this.pairs(value), {});
    const tagged = tag !== "Object" && tag !== name && name !== null && !name.startsWith("[") ? `${name || "Object"} [${tag}]` : name;
    return this.braces(tagged, [], value);
  }

  /** As far as one value may go, and how much is left out. */
  some(items, show) {
    const shown = [];
    let more = 0;
    for (const item of items)
      if (shown.length < ITEMS_MAX) shown.push(show(item));
      else more += 1;
    if (more) shown.push(`... ${more} more item${more > 1 ? "s" : ""}`);
    return shown;
  }

  pairs(items) { return this.some(items, ([key, value]) => `${this.show(key)} => ${this.show(value)}`); }

  list(prefix, value) {
    const shown = [], end = Math.min(value.length, ITEMS_MAX);
    for (let at = 0; at < end; ) {
      const from = at;
      while (at < end && !Object.hasOwn(value, at)) at += 1;
      if (at > from) shown.push(`<${at - from} empty item${at - from > 1 ? "s" : ""}>`);
      else shown.push(this.property(value, at++));
    }
    if (value.length > end) shown.push(`... ${value.length - end} more item${value.length - end > 1 ? "s" : ""}`);
    if (!ArrayBuffer.isView(value)) shown.push(...this.properties(value, (key) => typeof key === "symbol" || !/^\d+$/.test(key)));
    return shown.length ? `${prefix}[ ${shown.join(", ")} ]` : `${prefix}[]`;
  }

  property(value, key) {
    const { get, set, value: inside } = descriptor(value, key);
    return get ? (set ? "[Getter/Setter]" : "[Getter]") : set ? "[Setter]" : this.show(inside);
  }

  properties(value, wanted = () => true) {
    const keys = Reflect.ownKeys(value).filter((key) => wanted(key) && descriptor(value, key)?.enumerable);
    const name = (key) => (typeof key === "symbol" ? `[${String(key)}]` : /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key));
    return this.some(keys, (key) => `${name(key)}: ${this.property(value, key)}`);
  }

  braces(name, inside, value) {
    const all = [...inside, ...this.properties(value)];
    return `${name ? `${name} ` : ""}${all.length ? `{ ${all.join(", ")} }` : "{}"}`;
  }

  withProperties(head, value) {
    const shown = this.properties(value);
    return shown.length ? `${head} { ${shown.join(", ")} }` : head;
  }

  /** With its stack where it is what is logged, or the cause of that. */
  showError(error) {
    const whole = this.path.every((each) => each instanceof Error);
    const stack = whole && descriptor(error, "stack")?.value;
    const head = this.withProperties(whole ? String(error) : `[${error}]`, error) + (stack ? `\n${stack}` : "");
    const cause = whole && descriptor(error, "cause");
    return cause ? `${head}\n[cause]: ${this.show(cause.value)}` : head;
  }
}

export const inspectValue = (value) => new Line().show(value);

const numberOf = (value, read) => {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "symbol") return "NaN";
  try {
    return inspectValue(read(value));
  } catch {
    return "NaN";
  }
};
const asJson = (value) => {
  try {
    return String(JSON.stringify(value));
  } catch {
    return inspectValue(value);
  }
};
const PLACES = {
  "%s": (value) => (typeof value === "string" ? value : inspectValue(value)),
  "%d": (value) => numberOf(value, Number),
  "%i": (value) => numberOf(value, parseInt),
  "%f": (value) => numberOf(value, parseFloat),
  "%j": asJson,
  "%o": inspectValue,
  "%O": inspectValue,
  "%c": () => "", // a style, which nothing here has
};

/** A line: a text with its places filled, then the values that are left. */
export const formatValues = ([text, ...values]) => {
  let next = 0;
  const filled = text.replace(/%[sdifjoOc%]/g, (place) => {
    if (place === "%%") return "%";
    return next < values.length ? PLACES[place](values[next++]) : place;
  });
  return [filled, ...values.slice(next).map(PLACES["%s"])].join(" ");
};
