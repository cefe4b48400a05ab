// atob and btoa: https://infra.spec.whatwg.org/#forgiving-base64. What the engine takes as "loose" base64 is what that forgives.

// So many arguments of a call at most.
const PIECE = 8192;

function refuse(message) {
  const { DOMException } = load("exception");
  throw new DOMException(message, "InvalidCharacterError");
}

function needArgument(count, name) {
  if (count === 0) throw new TypeError(`${name} needs a text`);
}

export function btoa(data) {
  needArgument(arguments.length, "btoa");
  const text = `${data}`;
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0xff) refuse("btoa encodes characters up to U+00FF only");
    bytes[at] = unit;
  }
  return bytes.toBase64();
}

export function atob(data) {
  needArgument(arguments.length, "atob");
  const text = `${data}`;
  let bytes;
  try {
    bytes = Uint8Array.fromBase64(text);
  } catch {
    refuse("this is no base64");
  }
  let decoded = "";
  for (let at = 0; at < bytes.length; at += PIECE) decoded += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  return decoded;
}
