// atob and btoa: the cases of the web platform's own tests (fetch/data-urls/resources/base64.json and html/webappapis/atob). Answers what does not hold.

// What atob is given, and the bytes that it says; null: InvalidCharacterError.
const DECODED = [
  ["", []], ["abcd", [105, 183, 29]], [" abcd", [105, 183, 29]], ["abcd ", [105, 183, 29]], [" abcd===", null], ["abcd=== ", null],
  ["abcd ===", null], ["a", null], ["ab", [105]], ["abc", [105, 183]], ["abcde", null], ["\u{10000}\u{10000}", null],
  ["=", null], ["==", null], ["===", null], ["====", null], ["=====", null],
  ["a=", null], ["a==", null], ["a===", null], ["a====", null], ["a=====", null],
  ["ab=", null], ["ab==", [105]], ["ab===", null], ["ab====", null], ["ab=====", null],
  ["abc=", [105, 183]], ["abc==", null], ["abc===", null], ["abc====", null], ["abc=====", null],
  ["abcd=", null], ["abcd==", null], ["abcd===", null], ["abcd====", null], ["abcd=====", null],
  ["abcde=", null], ["abcde==", null], ["abcde===", null], ["abcde====", null], ["abcde=====", null],
  ["=a", null], ["=a=", null], ["a=b", null], ["a=b=", null], ["ab=c", null], ["ab=c=", null], ["abc=d", null], ["abc=d=", null],
  ["ab\u000Bcd", null], ["ab\u3000cd", null], ["ab\u3001cd", null], ["ab\tcd", [105, 183, 29]], ["ab\ncd", [105, 183, 29]],
  ["ab\fcd", [105, 183, 29]], ["ab\rcd", [105, 183, 29]], ["ab cd", [105, 183, 29]], ["ab\u00a0cd", null],
  ["ab\t\n\f\r cd", [105, 183, 29]], [" \t\n\f\r ab\t\n\f\r cd\t\n\f\r ", [105, 183, 29]], ["ab\t\n\f\r =\t\n\f\r =\t\n\f\r ", [105]],
  ["A", null], ["/A", [252]], ["//A", [255, 240]], ["///A", [255, 255, 192]], ["////A", null], ["/", null],
  ["A/", [3]], ["AA/", [0, 15]], ["AAAA/", null], ["AAA/", [0, 0, 63]],
  ["\0nonsense", null], ["abcd\0nonsense", null], ["YQ", [97]], ["YR", [97]], ["~~", null], ["??", null], ["--", null], ["__", null], ["-_-_", null],
  [" ", []], ["\t\n\f\r ", []],
  // Whatever is no text becomes one.
  [undefined, null], [null, [158, 233, 101]], [7, null], [12, [215]], [1.5, null], [true, [182, 187, 158]], [false, null], [NaN, [53, 163]],
  [+Infinity, [34, 119, 226, 158, 43, 114]], [-Infinity, null], [0, null], [-0, null],
  [{ toString: () => "foo" }, [126, 138]], [{ toString: () => "abcd" }, [105, 183, 29]],
];

// What btoa is given, and its text; null: InvalidCharacterError.
const ENCODED = [
  ["", ""], ["\0", "AA=="], ["a", "YQ=="], ["ab", "YWI="], ["abc", "YWJj"], ["abcd", "YWJjZA=="], ["\xff", "/w=="], ["\xff\xff\xc0", "///A"],
  ["\u0100", null], ["\u05e2\u05d1\u05e8\u05d9\u05ea", null], ["\ud800\udc00", null], ["a\u0101", null], ["\xf0\x9f", "8J8="],
  [undefined, "dW5kZWZpbmVk"], [null, "bnVsbA=="], [7, "Nw=="], [12, "MTI="], [1.5, "MS41"], [true, "dHJ1ZQ=="], [false, "ZmFsc2U="], [NaN, "TmFO"],
  [+Infinity, "SW5maW5pdHk="], [-Infinity, "LUluZmluaXR5"], [-0, "MA=="], [{ toString: () => "foo" }, "Zm9v"],
];

const wrong = [];
const shown = (value) => (typeof value === "string" ? JSON.stringify(value) : String(value));

function check(what, run, want) {
  let got;
  try {
    got = run();
  } catch (error) {
    const expected = error instanceof DOMException && error.name === "InvalidCharacterError" && error.code === 5;
    got = expected ? null : `${error}`;
  }
  if (JSON.stringify(got) !== JSON.stringify(want)) wrong.push(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);
}

function throwsTypeError(what, run) {
  try {
    run();
  } catch (error) {
    if (error instanceof TypeError) return;
  }
  wrong.push(`${what}: no TypeError`);
}

function handler() {
  const bytes = (text) => Array.from(text, (character) => character.charCodeAt(0));
  for (const [text, want] of DECODED) check(`atob(${shown(text)})`, () => bytes(atob(text)), want);
  for (const [text, want] of ENCODED) check(`btoa(${shown(text)})`, () => btoa(text), want);
  for (const size of [1, 2, 3, 255, 256, 8191, 8192, 8193, 100000]) {
    const text = Array.from({ length: size }, (_, at) => String.fromCharCode((at * 7) & 255)).join("");
    check(`${size} bytes there and back`, () => atob(btoa(text)) === text, true);
  }
  throwsTypeError("atob()", () => atob());
  throwsTypeError("btoa()", () => btoa());
  throwsTypeError("atob of a symbol", () => atob(Symbol("a")));
  throwsTypeError("btoa of a symbol", () => btoa(Symbol("a")));
  return wrong;
}
