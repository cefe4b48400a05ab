/** Writes the types of the API client from api/openapi.yaml. */
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';

const SOURCE = new URL('../../api/openapi.yaml', import.meta.url);
const TARGET = fileURLToPath(new URL('../shared/api/src/schema.d.ts', import.meta.url));

export async function generateClient() {
  const types = astToString(await openapiTS(SOURCE, { defaultNonNullable: false }));
  const text = `/** Generated from api/openapi.yaml; not to be edited. */\n${types}`;
  if (fs.existsSync(TARGET) && fs.readFileSync(TARGET, 'utf8') === text) return;
  fs.writeFileSync(TARGET, text);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await generateClient();
