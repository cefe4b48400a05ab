// Stands for the encodings that whatwg-url asks for: UTF-8 alone, for that is all URLs here are made of, and the decoder's tables are
// loaded only for what is not plain ASCII.
let encoder, decoder;

export function utf8Encode(text) {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) return (encoder ??= new (load("encoding").TextEncoder)()).encode(text);
    bytes[at] = unit;
  }
  return bytes;
}

export function utf8DecodeWithoutBOM(bytes) {
  let text = "";
  for (const byte of bytes) {
    if (byte > 0x7f) return (decoder ??= new (load("encoding").TextDecoder)("utf-8", { ignoreBOM: true })).decode(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
}

export function percentEncodeAfterEncoding(encoding, text, also) {
  let encoded = "";
  for (const byte of utf8Encode(text)) {
    const character = String.fromCharCode(byte);
    const plain = byte > 0x1f && byte < 0x7f && !also.includes(character);
    encoded += plain ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
