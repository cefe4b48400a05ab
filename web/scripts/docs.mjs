/** The API reference: Swagger UI and the API's description, as files of our own, with nothing from elsewhere. */
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import YAML from 'yaml';
import { OUTPUT } from './federation.mjs';

const kit = path.dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

export function buildDocs() {
  const folder = path.join(OUTPUT, 'docs');
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const description = YAML.parse(fs.readFileSync(new URL('../../api/openapi.yaml', import.meta.url), 'utf8'));
  delete description.servers; // this page is served by the only one there is
  const put = (name, bytes) => {
    const hash = crypto.createHash('sha256').update(bytes).digest('base64url').slice(0, 8);
    const hashed = name.replace(/(\.\w+)$/, `-${hash}$1`);
    fs.writeFileSync(path.join(folder, hashed), bytes);
    return `/docs/${hashed}`;
  };
  const openapi = put('openapi.json', JSON.stringify(description));
  const bundle = put('swagger-ui.js', withoutSourceMap(fs.readFileSync(path.join(kit, 'swagger-ui-bundle.js'), 'utf8')));
  const kitStyle = put('swagger-ui.css', withoutSourceMap(fs.readFileSync(path.join(kit, 'swagger-ui.css'), 'utf8')));
  const source = new URL('../docs/', import.meta.url);
  const style = put('docs.css', fs.readFileSync(new URL('docs.css', source), 'utf8'));
  const scheme = put('scheme.js', fs.readFileSync(new URL('scheme.js', source), 'utf8'));
  const start = put('docs.js', fs.readFileSync(new URL('docs.js', source), 'utf8').replace('OPENAPI_ADDRESS', openapi));
  const page = fs.readFileSync(new URL('index.html', source), 'utf8');
  const links = `<link rel="stylesheet" href="${kitStyle}" />\n    <link rel="stylesheet" href="${style}" />\n    <script src="${scheme}"></script>`;
  const scripts = `<script src="${bundle}"></script>\n    <script src="${start}"></script>`;
  fs.writeFileSync(path.join(folder, 'index.html'), page.replace('<!-- styles -->', links).replace('<!-- scripts -->', scripts));
}

function withoutSourceMap(text) {
  return text.replace(/\n?(\/\/|\/\*)# sourceMappingURL=.*$/m, '');
}
