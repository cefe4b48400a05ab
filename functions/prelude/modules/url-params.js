// What whatwg-url's URL makes its parameters with, without the layer for browsers' windows.
import { implementation as ParamsImplementation } from "whatwg-url/lib/URLSearchParams-impl.js";

export const createImpl = (globalObject, values, options) => new ParamsImplementation(globalObject, values, options);
