// Writes what the Debian packages have beside the programs: manual pages, completions for bash, the licenses of what is
// inside.
//
//   node dist/sidecar/package/main.js FOLDER README-OF-THE-HOOK NPM-PACKAGE...
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { version } from '../version.ts'
import { daemonCompletion, requestorCompletion } from './completion.ts'
import { copyrightOf } from './copyright.ts'
import { daemonPage, libraryPage, requestorPage } from './manual.ts'
import { formatPage } from './roff.ts'

const [folder, readme, ...packages] = process.argv.slice(2)
if (folder === undefined || readme === undefined) {
  throw new Error('usage: main.js FOLDER README-OF-THE-HOOK NPM-PACKAGE...')
}
mkdirSync(folder, { recursive: true })
const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
for (const page of [daemonPage, requestorPage, libraryPage(readFileSync(readme, 'utf8'))]) {
  write(`${page.name}.${page.section}`, formatPage(page, version()))
}
write('kea-leasequery.bash', daemonCompletion)
write('leasequery.bash', requestorCompletion)
write('npm-copyright', copyrightOf(packages))
