/** The configurations in the documents, as they stand there, accepted by kea-dhcp4 -T and kea-dhcp6 -T, which load the library. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { hooksFolder } from '../support/kea.ts'
import { keaExamples } from '../support/kea-examples.ts'
import { Laboratory } from '../support/laboratory.ts'
import { keaRoots } from '../support/roots.ts'

const listener = '"http-dedicated-listener": true'

/** Folders that a package or systemd makes. */
const prepare = 'install -d -m 750 /run/kea /var/lib/kea /var/log/kea && exec "$@"'

for (const kea of keaRoots()) {
  test(`Kea ${kea.kea} accepts every configuration in the documents`, { skip: kea.skip }, async (t) => {
    await using lab = await Laboratory.open()
    const hooks = hooksFolder(lab, kea)
    await lab.run('server', 'ip link add eth0 type veth peer name eth1'.split(' '))
    const checked = async (family: 4 | 6, text: string) => {
      const name = lab.unique('example')
      const file = lab.path(`${name}.conf`)
      writeFileSync(file, text)
      const command = ['env', `KEA_HOOKS_PATH=${hooks}`, `kea-dhcp${family}`, '-T', file]
      const child = lab.start(name, lab.inRoot('server', kea, ['sh', '-c', prepare, 'sh', ...command]))
      const { code } = await child.exited
      return { accepted: code === 0 && !/ERROR/.test(child.output()), output: child.output() }
    }
    for (const { what, family, text } of keaExamples()) {
      await t.test(what, async () => {
        let { accepted, output } = await checked(family, text)
        if (kea.kea === '2.6' && text.includes(listener)) {
          // As the guide says: its -T starts the listener of high availability before multi-threading is on.
          assert.match(output, /CmdHttpListener cannot be started when multi-threading is disabled/)
          const without = text.replace(listener, listener.replace('true', 'false'))
          ;({ accepted, output } = await checked(family, without))
        }
        assert.ok(accepted, output)
      })
    }
  })
}
