// validate-email: whether an address can be right.
//
// Event:  { email }
// Result: { valid, reason, normalized }; reason is null for a valid address, normalized is null for an invalid one
//
// As a hook on user.created it adds { title, body } for an address that seems wrong, which becomes a notification that asks
// the user to look again. The rules are those of RFC 5321 and 5322 for addresses on the internet: dot-atom or quoted local
// part of at most 64 bytes, a domain of at least two labels of at most 63 characters (internationalised ones count in
// their ASCII form), at most 254 bytes in all. Address literals and comments are refused: nobody signs up with them.
// An address at a well-known misspelling of a large provider is reported as invalid, with the likely domain as reason.

const ATEXT = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]+$/u;
const QUOTED = /^"((?:[^"\\\r\n\0]|\\[ -~])*)"$/u;
const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

const MISSPELT = {
  "gamil.com": "gmail.com", "gmial.com": "gmail.com", "gmai.com": "gmail.com", "gmail.co": "gmail.com", "gmail.con": "gmail.com",
  "gmal.com": "gmail.com", "gnail.com": "gmail.com", "googlemail.co": "googlemail.com", "hotmai.com": "hotmail.com",
  "hotmial.com": "hotmail.com", "hotmail.con": "hotmail.com", "hotnail.com": "hotmail.com", "iclod.com": "icloud.com",
  "icloud.con": "icloud.com", "outlok.com": "outlook.com", "outloo.com": "outlook.com", "outlook.con": "outlook.com",
  "yahoo.con": "yahoo.com", "yaho.com": "yahoo.com", "yahooo.com": "yahoo.com", "yhaoo.com": "yahoo.com",
};

function bytes(text) {
  let count = 0;
  for (const character of text) {
    const point = character.codePointAt(0);
    count += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return count;
}

const refuse = (reason) => ({ valid: false, reason, normalized: null });

// The local part without needless quotes, or null.
function localPart(local) {
  const quoted = QUOTED.exec(local);
  if (!quoted) return local.split(".").every((atom) => ATEXT.test(atom)) ? local : null;
  const plain = quoted[1].replace(/\\(.)/gu, "$1");
  return plain.split(".").every((atom) => ATEXT.test(atom)) ? plain : local;
}

// The domain in lower-case ASCII, or null.
function asciiDomain(domain) {
  if (/^[\x21-\x7e]*$/.test(domain)) return domain.toLowerCase();
  if (/[\s/?#@:\\%[\]]/u.test(domain)) return null;
  try {
    return new URL(`http://${domain}`).hostname;
  } catch {
    return null;
  }
}

function check(email) {
  if (typeof email !== "string" || email === "") return refuse("an email address is a text");
  if (email !== email.trim()) return refuse("it begins or ends with a space");
  const at = email.lastIndexOf("@");
  if (at < 0) return refuse("it has no @");
  if (at === 0) return refuse("there is nothing before the @");
  if (at === email.length - 1) return refuse("there is nothing after the @");
  const local = localPart(email.slice(0, at));
  if (local === null) return refuse("the part before the @ has a character or a dot where none may be");
  if (bytes(email.slice(0, at)) > 64) return refuse("the part before the @ is longer than 64 bytes");
  if (email[at + 1] === "[") return refuse("the part after the @ must be a name");
  const domain = asciiDomain(email.slice(at + 1));
  if (domain === null) return refuse("the part after the @ is not a name of the internet");
  if (domain.length > 253 || bytes(local) + 1 + domain.length > 254) return refuse("it is longer than 254 bytes");
  const labels = domain.split(".");
  if (labels.length < 2) return refuse("the part after the @ has no dot");
  if (!labels.every((label) => label.length <= 63 && LABEL.test(label))) return refuse("the part after the @ is not a name of the internet");
  if (/^\d+$/.test(labels.at(-1))) return refuse("the part after the @ ends in a number");
  if (Object.hasOwn(MISSPELT, domain)) return refuse(`did you mean ${MISSPELT[domain]}?`);
  return { valid: true, reason: null, normalized: `${local}@${domain}` };
}

function handler(event, context) {
  const result = check(event?.email);
  if (result.valid || !context?.event) return result;
  const reason = result.reason.endsWith("?") ? result.reason : `${result.reason}.`;
  return {
    ...result,
    title: "Please look at your email address again",
    body: `${event.email} seems wrong: ${reason} You can correct it in your profile.`,
  };
}
