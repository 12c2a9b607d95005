/**
 * The Debian packages, from installing to purging, on machines that had nothing of ours: what an operator sees, with apt
 * resolving what they depend on, and Kea, service and requestor run as their packages run them.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { debians } from '../support/machine.ts'
import { packagePath } from '../support/package-root.ts'
import { run } from '../support/processes.ts'
import { changeFile, families, hook, repack, Site, sidecar } from './packages-support.ts'

const CLIENTS = 5

for (const debian of debians()) {
  test(`installed, run and removed: ${debian.name}`, { skip: debian.skip }, async (t) => {
    await using site = await Site.open(debian)
    const { machine } = site

    /** What the operator has added to AppArmor's profile of a server, without an end of line. */
    const own = '/srv/leases r,'

    await t.test('apt installs them, with what they need, users and folders', async () => {
      for (const family of families) await site.writeLocalProfile(family, own)
      await machine.apt('install', ...site.copyPackages())
      for (const name of [hook, sidecar]) assert.ok(await site.installed(name), name)
      const access = await machine.run(['stat', '-c', '%a %U %G', '/run/kea-lease-feed'])
      assert.equal(access.trim(), '2750 _kea kea-leasequery')
      // The service reads the feed, and nothing of Kea's.
      const groups = await machine.run(['id', '-nG', 'kea-leasequery'])
      assert.equal(groups.trim(), 'kea-leasequery')
    })

    await t.test("AppArmor's profiles of Kea have the rules of the feed, once", async () => {
      // The server is unpacked again: the package looks after its profile by a trigger.
      await machine.apt('install', '--reinstall', 'kea-dhcp4-server', 'apparmor')
      for (const family of families) {
        const profile = `/etc/apparmor.d/usr.sbin.kea-dhcp${family}`
        await machine.run(['apparmor_parser', '--skip-kernel-load', '--skip-cache', profile])
        const rules = await machine.run(['apparmor_parser', '--skip-cache', '--preprocess', profile])
        assert.ok(rules.includes(`/run/kea-lease-feed/dhcp${family}{,-sync,.lock} rwk,`))
        assert.equal(
          await site.localProfile(family),
          `${own}\ninclude if exists <abstractions/kea-lease-feed-dhcp${family}>\n`,
        )
      }
    })

    await t.test('with the block of README.md, leasequery check says that all is well', async () => {
      await site.configure()
      await site.startSidecar()
      for (const family of families) {
        await machine.run([sidecar, '--check-config', `/etc/kea/kea-dhcp${family}.conf`])
        await site.startKea(family)
        await site.logged('feed.reconciled', family)
        const said = await site.check(family)
        for (const what of ['Active Leasequery   yes', 'Bulk Leasequery     yes', 'TLS                 yes'])
          assert.ok(said.includes(what), said)
        const watch = site.watch(family)
        await watch.saw('accepted')
        await site.lease(family, CLIENTS, 1)
        await watch.knows(CLIENTS)
      }
      assert.match(await machine.run([sidecar, 'status']), /./)
      const page = "fetch('http://127.0.0.1:9547/').then((answer) => answer.text()).then(console.log)"
      assert.match(await machine.run(['node', '-e', page]), /<html/)
    })

    await t.test('the service says when kea.conf no longer names the library', async () => {
      const before = site.log().length
      await site.configure(false)
      for (const family of families) {
        await site.reloadKea(family)
        const line = await site.logged('feed.silent', family, before)
        assert.match(line.msg, /does not load libdhcp_lease_feed\.so/)
      }
      await site.configure()
      for (const family of families) {
        await site.reloadKea(family)
        await site.logged('feed.back', family, before)
      }
    })

    await t.test('the hook is not removed while kea.conf names it, unless by force', async () => {
      assert.match(await site.refused('remove', hook), /kea-dhcp4\.conf names libdhcp_lease_feed\.so/)
      assert.ok(await site.installed(hook))
      const force = ['env', 'KEA_LEASE_FEED_FORCE_REMOVE=yes']
      const said = await machine.run([...force, 'apt-get', '-y', 'remove', hook])
      assert.match(said, /Kea WILL NOT START AGAIN/)
      assert.equal(await site.installed(hook), undefined)
      for (const family of families) {
        assert.equal(await site.localProfile(family), `${own}\n`)
        // The library stays in memory; then Kea's own words, for which the package warned.
        await site.reloadKea(family)
        assert.match(await site.failToStartKea(family), /libdhcp_lease_feed\.so/)
      }
      await machine.apt('install', ...site.copyPackages())
      for (const family of families) await site.startKea(family)
    })

    await t.test('they are removed, state stays until they are purged', async () => {
      await site.configure(false)
      await site.sidecar.stop()
      await machine.apt('remove', hook, sidecar)
      await machine.sh('test -d /var/lib/kea-leasequery/dhcp4; test ! -e /usr/bin/leasequery')
      await machine.apt('purge', hook, sidecar)
      await machine.sh(
        '! ls -d /var/lib/kea-leasequery /run/kea-lease-feed /etc/apparmor.d/abstractions/kea-lease-feed-*',
      )
    })
  })
}

const [newest] = debians()

test('the same sources give the same packages, octet by octet', { skip: newest!.skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'alq-packages-'))
  try {
    const script = `cd "$0"
      for part in common package-roots packages; do source test/setup/$part.sh; done
      for out in "$1/one" "$1/other"; do
        mkdir "$out"
        package_sidecar "$roots/trixie" "$out"
        package_hook "$roots/trixie" build/kea-hook/trixie/libdhcp_lease_feed.so "$out"
      done`
    await run(['bash', '-euc', script, packagePath(), folder])
    const [one, other] = ['one', 'other'].map((name) => join(folder, name)) as [string, string]
    const files = readdirSync(one)
    assert.equal(files.length, 2)
    for (const file of files) {
      assert.ok(readFileSync(join(one, file)).equals(readFileSync(join(other, file))), file)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test(`upgraded: ${newest!.name}`, { skip: newest!.skip }, async (t) => {
  await using site = await Site.open(newest!)
  const { machine } = site
  const packages = site.copyPackages()
  const keaVersion = (await site.installed('kea-common'))!
  await machine.apt('install', ...packages)

  await t.test('with a new release the store is kept, and requestors are told what they missed', async () => {
    await site.configure()
    await site.startSidecar()
    const resumePoints = new Map<number, number>()
    for (const family of families) {
      await site.startKea(family)
      await site.logged('feed.reconciled', family)
      const watch = site.watch(family)
      await watch.saw('accepted')
      await site.lease(family, CLIENTS, 1)
      await watch.knows(CLIENTS)
      resumePoints.set(family, watch.resumePoint)
    }
    await site.sidecar.stop()
    for (const family of families) await site.lease(family, CLIENTS, 2)

    for (const file of packages) {
      repack(file, site.repository('newer'), (folder) => {
        changeFile(join(folder, 'DEBIAN/control'), 'Version: 0.1.0', 'Version: 0.1.1')
        const manifest = join(folder, 'usr/lib/kea-leasequery/package.json')
        if (file.includes(`${sidecar}_`)) changeFile(manifest, '"0.1.0"', '"0.1.1"')
      })
    }
    await site.offer('newer')
    assert.match(await machine.apt('upgrade'), /kea-dhcp4 takes the new library when it is started anew/)
    assert.equal((await machine.run([sidecar, '--version'])).trim(), '0.1.1')
    await site.startSidecar()
    for (const family of families) {
      await site.logged('feed.replayed', family)
      const watch = site.watch(family, '--since', String(resumePoints.get(family)))
      await watch.saw('catch-up-complete')
      await watch.knows(CLIENTS)
      assert.ok(!watch.events().some(({ event }) => event === 'data-missing'))
    }
  })

  await t.test('Kea is not upgraded without its library', async () => {
    const archives = join(newest!.folder, 'var/cache/apt/archives')
    for (const name of ['kea-common', 'kea-dhcp4-server', 'kea-dhcp6-server']) {
      const [archive] = readdirSync(archives).filter((file) => file.startsWith(`${name}_${keaVersion}_`))
      repack(join(archives, archive!), site.repository('newer-kea'), (folder) =>
        changeFile(join(folder, 'DEBIAN/control'), keaVersion, `${keaVersion}.1`),
      )
    }
    await site.offer('newer-kea')
    await machine.apt('upgrade')
    assert.equal(await site.installed('kea-common'), keaVersion)
    // At any price apt would do without the library; the package does not let it, and nothing has changed.
    assert.match(await site.refused('dist-upgrade'), /Kea WILL NOT START AGAIN without the library/)
    assert.equal(await site.installed('kea-common'), keaVersion)
    assert.ok(await site.installed(hook))
  })

  await t.test('with it Kea is upgraded, and not started before the library is there', async () => {
    const newer = site.repository('newer')
    const [ours] = readdirSync(newer).filter((name) => name.startsWith(`${hook}_`))
    repack(join(newer, ours!), site.repository('newer-kea'), (folder) =>
      changeFile(join(folder, 'DEBIAN/control'), keaVersion, `${keaVersion}.1`),
    )
    await site.offer('newer-kea')
    await machine.sh('mv /var/log/dpkg.log /var/log/dpkg.log.1')
    await machine.apt('upgrade')
    assert.equal(await site.installed('kea-common'), `${keaVersion}.1`)
    assert.equal(await site.installed(hook), `0.1.1+kea${keaVersion}.1`)
    const log = await machine.read('/var/log/dpkg.log')
    const unpacked = log.search(new RegExp(` status unpacked ${hook}:`))
    const started = log.search(/ configure kea-dhcp[46]-server:/)
    assert.ok(unpacked > 0 && unpacked < started, log)
  })
})
