// The certificates of the operator's guide, made as it says, with a service and a requestor that use them.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { check } from '../../sidecar/requestor/check.ts'
import { blocks, documents, section } from '../support/documents.ts'
import { serviceWith } from './scenes-requestor.ts'

it('the certificates made as the guide says serve a requestor, and nobody else reads the keys', async () => {
  const [script] = blocks(section(documents.guide, 'Certificates'))
  const folder = mkdtempSync(join(tmpdir(), 'alq-guide-'))
  try {
    const output = execFileSync('sh', ['-eu', '-c', script!.text], { cwd: folder, stdio: 'pipe' })
    assert.match(String(output), /server\.pem: OK\nbng1\.pem: OK/)
    const at = (name: string) => join(folder, name)
    for (const key of ['ca.key', 'server.key', 'bng1.key']) assert.equal(statSync(at(key)).mode & 0o077, 0)
    await using service = serviceWith({
      requesters: [{ certificate: 'bng1.example.net' }],
      tls: {
        mode: 'required',
        'trust-anchor': at('ca.pem'),
        'cert-file': at('server.pem'),
        'key-file': at('server.key'),
      },
    })
    const tls = {
      ca: readFileSync(at('ca.pem'), 'utf8'),
      cert: readFileSync(at('bng1.pem'), 'utf8'),
      key: readFileSync(at('bng1.key'), 'utf8'),
      servername: 'dhcp1.example.net',
    }
    const port = await service.port()
    const report = await check({ family: 4, host: '127.0.0.1', port, tls })
    assert.equal(report.fault, undefined, report.sentence)
    assert.match(report.sentence, /over TLS/)
    // Without its own certificate, or as somebody else, it is not served.
    const other = {
      ...tls,
      cert: readFileSync(at('server.pem'), 'utf8'),
      key: readFileSync(at('server.key'), 'utf8'),
    }
    assert.equal((await check({ family: 4, host: '127.0.0.1', port, tls: other })).fault, 'own-certificate')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
