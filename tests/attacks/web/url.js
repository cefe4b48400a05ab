// URL and URLSearchParams. The tables are what another implementation (that of Node.js) says. Answers what does not hold.

// What each text is as a URL, against a base if one is given; null: it is none.
const PARSED = [
  ["http://example.com", "http://example.com/"],
  ["HTTP://EXAMPLE.com:80/", "http://example.com/"],
  ["https://user:pa ss@example.com:8443/a/b/../c?x=1&y=2#z", "https://user:pa%20ss@example.com:8443/a/c?x=1&y=2#z"],
  ["//other/path", "https://other/path", "https://a.example/b"],
  ["?q", "https://a.example/b/c?q", "https://a.example/b/c?d#e"],
  ["#f", "https://a.example/b/c?d#f", "https://a.example/b/c?d#e"],
  ["../up", "https://a.example/b/up", "https://a.example/b/c/d"],
  ["", "https://a.example/b?c", "https://a.example/b?c#d"],
  ["no",null],
  ["",null],
  ["http://",null],
  ["http:///a", "http://a/"],
  ["http://a b/",null],
  ["http://a<b",null],
  ["http://[::1]:3000/", "http://[::1]:3000/"],
  ["http://[1:2:0:0:5:0:0:8]/", "http://[1:2::5:0:0:8]/"],
  ["http://[::1.2.3.4]/", "http://[::102:304]/"],
  ["http://[:1]/",null],
  ["http://192.168.257", "http://192.168.1.1/"],
  ["http://0x7f.1/", "http://127.0.0.1/"],
  ["http://0300.168.0.1/", "http://192.168.0.1/"],
  ["http://256.256.256.256/",null],
  ["http://1.2.3.4.5/",null],
  ["http://a:65536/",null],
  ["http://a:65535/", "http://a:65535/"],
  ["http://a:x/",null],
  ["http://a:/", "http://a/"],
  ["http://b\u00fccher.example/stra\u00dfe?gr\u00fc\u00df=\u20ac#\u00e4", "http://xn--bcher-kva.example/stra%C3%9Fe?gr%C3%BC%C3%9F=%E2%82%AC#%C3%A4"],
  ["http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/"],
  ["http://fa\u00df.example/", "http://xn--fa-hia.example/"],
  ["http://\u65e5\u672c\u8a9e.jp/", "http://xn--wgv71a119e.jp/"],
  ["http://a\u00adb.example/", "http://ab.example/"],
  ["http://%41.example/", "http://a.example/"],
  ["http://%zz/",null],
  ["http://ex%61mple.com/%7Efoo/%zz/../b", "http://example.com/%7Efoo/b"],
  ["http://a/\ud83d\ude00?\ud83d\ude00#\ud83d\ude00", "http://a/%F0%9F%98%80?%F0%9F%98%80#%F0%9F%98%80"],
  ["http://a/\ud800", "http://a/%EF%BF%BD"],
  ["  http://a/b\t\n c  ", "http://a/b%20c"],
  ["http:\\\\a\\b\\c?d\\e", "http://a/b/c?d\\e"],
  ["file:///C:/a/../../b", "file:///C:/b"],
  ["file:c|/x", "file:///c:/x", "file:///d:/y"],
  ["file://host/share", "file://host/share"],
  ["file:///", "file:///"],
  ["mailto:a@b.example?subject=x y", "mailto:a@b.example?subject=x%20y"],
  ["data:text/plain,hello world#f", "data:text/plain,hello world#f"],
  ["javascript:alert(1)", "javascript:alert(1)"],
  ["about:blank", "about:blank"],
  ["blob:https://a.example/id", "blob:https://a.example/id"],
  ["foo://bar/baz?q#f", "foo://bar/baz?q#f"],
  ["foo:bar/../baz", "foo:bar/../baz"],
  ["foo:/..//a", "foo:/.//a"],
  ["foo://[::1]/", "foo://[::1]/"],
  ["foo://a b/",null],
  ["web+x:///p", "web+x:///p"],
  ["1http://a",null],
  ["http://a?b c\"d<e>f`g'h{i}#j k\"l<m>n`o", "http://a/?b%20c%22d%3Ce%3Ef`g%27h{i}#j%20k%22l%3Cm%3En%60o"],
  ["foo://a?b'c", "foo://a?b'c"],
  ["http://a/b c\"d<e>f`g{h}i|j^k", "http://a/b%20c%22d%3Ce%3Ef%60g%7Bh%7Di|j%5Ek"],
  ["http://u:p@@h/", "http://u:p%40@h/"],
  ["http://u%3Ap@h/", "http://u%3Ap@h/"],
  ["http://@h/", "http://h/"],
  ["http://u@/",null],
  ["ws://a:80/", "ws://a/"],
  ["wss://a:443/x", "wss://a/x"],
  ["ftp://a:21/", "ftp://a/"],
  ["http://a/./b/%2e/c/%2e%2e/d", "http://a/b/d"],
  ["http://a/b/..", "http://a/"],
  ["http://a//b///c", "http://a//b///c"],
  ["http://EX\u0391MPLE.gr/", "http://xn--exmple-qxe.gr/"],
  ["http://a..b/", "http://a..b/"],
  ["http://a.b./", "http://a.b./"],
  ["http://-a-/", "http://-a-/"],
  ["http://a_b/", "http://a_b/"],
  ["http://a\u3002b/", "http://a.b/"],
  ["http://\uff11.2.3.4/", "http://1.2.3.4/"],
  ["non-special:x", "non-special:x", "http://a/b"],
  ["http:x", "http://a/b/x", "http://a/b/c"],
  ["http:/x", "http://a/x", "http://a/b/c"],
  ["https:x", "https://x/", "http://a/b/c"],
  ["x",null,"about:blank"],
  ["#x", "about:blank#x", "about:blank"],
  ["/x",null,"data:text,y"],
];

// What becomes of https://user:pw@host.example:8443/a/b?c=d#e when a part of it is set.
const BASE = "https://user:pw@host.example:8443/a/b?c=d#e";
const SET = [
  ["href", "http://x/y", "http://x/y"],
  ["protocol", "http", "http://user:pw@host.example:8443/a/b?c=d#e"],
  ["protocol", "http:ignored", "http://user:pw@host.example:8443/a/b?c=d#e"],
  ["protocol", "foo", "https://user:pw@host.example:8443/a/b?c=d#e"],
  ["protocol", "1a", "https://user:pw@host.example:8443/a/b?c=d#e"],
  ["username", "ad a@", "https://ad%20a%40:pw@host.example:8443/a/b?c=d#e"],
  ["username", "", "https://:pw@host.example:8443/a/b?c=d#e"],
  ["password", "p:w/", "https://user:p%3Aw%2F@host.example:8443/a/b?c=d#e"],
  ["host", "other:99", "https://user:pw@other:99/a/b?c=d#e"],
  ["host", "other", "https://user:pw@other:8443/a/b?c=d#e"],
  ["host", "a b", "https://user:pw@host.example:8443/a/b?c=d#e"],
  ["host", "x:y", "https://user:pw@x:8443/a/b?c=d#e"],
  ["hostname", "sub.example", "https://user:pw@sub.example:8443/a/b?c=d#e"],
  ["hostname", "b\u00fccher.example", "https://user:pw@xn--bcher-kva.example:8443/a/b?c=d#e"],
  ["hostname", "x:80", "https://user:pw@host.example:8443/a/b?c=d#e"],
  ["hostname", "", "https://user:pw@host.example:8443/a/b?c=d#e"],
  ["port", "443", "https://user:pw@host.example/a/b?c=d#e"],
  ["port", "", "https://user:pw@host.example/a/b?c=d#e"],
  ["port", "99x", "https://user:pw@host.example:99/a/b?c=d#e"],
  ["port", "99999", "https://user:pw@host.example:8443/a/b?c=d#e"],
  ["port", "x", "https://user:pw@host.example:8443/a/b?c=d#e"],
  ["pathname", "x y/../z", "https://user:pw@host.example:8443/z?c=d#e"],
  ["pathname", "", "https://user:pw@host.example:8443/?c=d#e"],
  ["pathname", "?#", "https://user:pw@host.example:8443/%3F%23?c=d#e"],
  ["search", "?q=\u00fc '\"", "https://user:pw@host.example:8443/a/b?q=%C3%BC%20%27%22#e"],
  ["search", "x", "https://user:pw@host.example:8443/a/b?x#e"],
  ["search", "", "https://user:pw@host.example:8443/a/b#e"],
  ["search", "?", "https://user:pw@host.example:8443/a/b?#e"],
  ["hash", "#a b`", "https://user:pw@host.example:8443/a/b?c=d#a%20b%60"],
  ["hash", "", "https://user:pw@host.example:8443/a/b?c=d"],
  ["hash", "#", "https://user:pw@host.example:8443/a/b?c=d#"],
];

// What each text holds as parameters, and how these are written.
const PARAMETERS = [
  ["",[],""],
  ["?",[],""],
  ["?a=1&b=2",[["a", "1"], ["b", "2"]],"a=1&b=2"],
  ["a=b&a=c",[["a", "b"], ["a", "c"]],"a=b&a=c"],
  ["a",[["a", ""]],"a="],
  ["=b",[["", "b"]],"=b"],
  ["&&a=1&",[["a", "1"]],"a=1"],
  ["a+b=c%20d",[["a b", "c d"]],"a+b=c+d"],
  ["a=%zz",[["a", "%zz"]],"a=%25zz"],
  ["a=%C3%BC",[["a", "\u00fc"]],"a=%C3%BC"],
  ["a=%FF",[["a", "\ufffd"]],"a=%EF%BF%BD"],
  ["\u20ac=\u00fc",[["\u20ac", "\u00fc"]],"%E2%82%AC=%C3%BC"],
  ["a==b",[["a", "=b"]],"a=%3Db"],
  ["a=%00",[["a", "\u0000"]],"a=%00"],
  ["%EF%BB%BFa=\ufeff",[["\ufeffa", "\ufeff"]],"%EF%BB%BFa=%EF%BB%BF"],
  ["a=!'()~*-._",[["a", "!'()~*-._"]],"a=%21%27%28%29%7E*-._"],
  ["a=\ud83d\ude00",[["a", "\ud83d\ude00"]],"a=%F0%9F%98%80"],
];

const wrong = [];

function same(what, run, want) {
  let got;
  try {
    got = run();
  } catch (error) {
    got = `${error.name}`;
  }
  if (JSON.stringify(got) !== JSON.stringify(want)) wrong.push(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);
}

function urls() {
  for (const [url, href, base] of PARSED) {
    same(`new URL(${url}, ${base})`, () => new URL(url, base).href, href ?? "TypeError");
    same(`URL.canParse(${url}, ${base})`, () => URL.canParse(url, base), href !== null);
    same(`URL.parse(${url}, ${base})`, () => URL.parse(url, base)?.href ?? null, href);
  }
  for (const [name, value, href] of SET)
    same(`${name} = ${value}`, () => {
      const url = new URL(BASE);
      url[name] = value;
      return url.href;
    }, href);
  const url = new URL(BASE);
  same("parts", () => [url.protocol, url.username, url.password, url.host, url.hostname, url.port, url.pathname, url.search, url.hash, url.origin],
    ["https:", "user", "pw", "host.example:8443", "host.example", "8443", "/a/b", "?c=d", "#e", "https://host.example:8443"]);
  same("href of no URL", () => { new URL(BASE).href = "no"; }, "TypeError");
  same("as text and as JSON", () => [`${url}`, JSON.stringify({ url })], [BASE, JSON.stringify({ url: BASE })]);
  same("opaque origins", () => [new URL("data:,x").origin, new URL("blob:https://a.example/id").origin], ["null", "https://a.example"]);
  same("one searchParams", () => url.searchParams === url.searchParams && url.searchParams instanceof URLSearchParams, true);
  same("names and tags", () => [URL.name, URLSearchParams.name, URL.length, URLSearchParams.length, `${Object.prototype.toString.call(url)}`, Object.keys(url)],
    ["URL", "URLSearchParams", 1, 0, "[object URL]", []]);
  same("members can be listed", () => { const names = []; for (const name in url) names.push(name); return names.includes("href") && names.includes("toJSON"); }, true);
  same("without new", () => URL(BASE), "TypeError");
  same("without a text", () => new URL(), "TypeError");
  same("on what is no URL", () => Object.getOwnPropertyDescriptor(URL.prototype, "href").get.call({}), "TypeError");
}

function parameters() {
  for (const [text, pairs, written] of PARAMETERS) {
    same(`parameters of ${text}`, () => [...new URLSearchParams(text)], pairs);
    same(`${text} written`, () => String(new URLSearchParams(text)), written);
  }
  same("from pairs", () => String(new URLSearchParams([["a", 1], new Set(["b", "c"])])), "a=1&b=c");
  same("from a map", () => String(new URLSearchParams(new Map([["a", "b"]]))), "a=b");
  same("from parameters", () => String(new URLSearchParams(new URLSearchParams("a=b&a=c"))), "a=b&a=c");
  same("from an object", () => String(new URLSearchParams({ a: 1, b: "x y" })), "a=1&b=x+y");
  same("from nothing", () => [String(new URLSearchParams()), String(new URLSearchParams(undefined)), String(new URLSearchParams(null))], ["", "", "null="]);
  same("from a triple", () => new URLSearchParams([["a", "b", "c"]]), "TypeError");
  same("from no pairs", () => new URLSearchParams([1]), "TypeError");
  same("from a symbol's name", () => new URLSearchParams({ [Symbol("s")]: 1 }), "TypeError");
  same("lone surrogates", () => String(new URLSearchParams({ a: "\ud800" })), "a=%EF%BF%BD");
  const list = new URLSearchParams("b=1&a=2&b=3");
  same("reading", () => [list.get("b"), list.get("c"), list.getAll("b"), list.has("b", "3"), list.has("b", "4"), list.has("c"), list.size],
    ["1", null, ["1", "3"], true, false, false, 3]);
  same("iterating", () => [[...list.keys()], [...list.values()], [...list.entries()].length, list.keys().next(), list.keys()[Symbol.toStringTag]],
    [["b", "a", "b"], ["1", "2", "3"], 3, { value: "b", done: false }, "URLSearchParams Iterator"]);
  same("for each", () => { const seen = []; list.forEach(function (value, name, all) { seen.push(name + value + this.x + (all === list)); }, { x: "!" }); return seen; },
    ["b1!true", "a2!true", "b3!true"]);
  same("changing while iterating", () => { const seen = []; const all = new URLSearchParams("a=1&b=2&c=3"); for (const [name] of all) { seen.push(name); all.delete("b"); } return seen; },
    ["a", "c"]);
  same("changing", () => { list.append("c", 4); list.set("b", 5); list.delete("a", "no"); list.sort(); return String(list); }, "a=2&b=5&c=4");
  same("deleting", () => { list.delete("a"); list.delete("b", "5"); return String(list); }, "c=4");
  same("too few arguments", () => list.append("a"), "TypeError");
  const url = new URL("https://a.example/?x=1");
  same("a URL follows its parameters", () => { url.searchParams.append("y", "\u00fc"); return url.href; }, "https://a.example/?x=1&y=%C3%BC");
  same("parameters follow their URL", () => { url.search = "?z=2"; return [...url.searchParams]; }, [["z", "2"]]);
  same("and a new href", () => { url.href = "https://b.example/?w=3"; return [url.searchParams.get("w"), url.searchParams.get("z")]; }, ["3", null]);
  same("no parameters, no question mark", () => { url.searchParams.delete("w"); return url.href; }, "https://b.example/");
}

function handler() {
  urls();
  parameters();
  return wrong;
}
