// A process to be killed: puts bindings into a store, and says after each what it has put and what was on disk.
import { openStore } from '../../sidecar/store/open.ts'
import { bindingOf } from './support.ts'

const [path] = process.argv.slice(2)
const store = await openStore({
  path: path!,
  family: 4,
  wall: () => Date.now() / 1000,
  gatherMilliseconds: 1,
})
for (let seq = store.position.seq + 1; ; seq++) {
  store.put(bindingOf(4, seq % 5000, { iaid: seq }), store.clock.now())
  store.position = { epoch: 'e', seq, walkPending: false }
  if (seq % 200 === 0) {
    await store.flush()
    process.send?.({ flushed: seq, second: store.clock.now() })
  }
}
