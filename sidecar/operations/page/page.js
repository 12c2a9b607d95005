// Keeps in contact with the service: it sends its status each second; the browser comes back by itself where it was stopped.
import { attribute, find, text } from './dom.js'
import { show } from './show.js'
import { time } from './words.js'

/** Without a status for so long the service is not there, whatever the connection says. */
const SILENT_MS = 5_000

let holdsStill = false
let latest
let heardAt = Date.now()

const events = new EventSource('/events')
events.onmessage = ({ data }) => {
  heardAt = Date.now()
  const status = JSON.parse(data)
  // Another run of the service counts its changes anew.
  if (latest !== undefined && latest.pid !== status.pid) find('changes').tBodies[0].replaceChildren()
  latest = status
  lost(false)
  show(status, holdsStill)
}
events.onerror = () => {
  lost(true)
  // The browser gives up where it was refused; somebody who looks wants it back all the same.
  if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), SILENT_MS)
}
setInterval(() => {
  if (Date.now() - heardAt >= SILENT_MS) lost(true)
}, 1_000)

/** Says that what is shown is old; what was shown stays. */
function lost(isLost) {
  const contact = find('contact')
  if (contact.hidden !== isLost) return
  document.body.classList.toggle('lost', isLost)
  contact.hidden = !isLost
  const since =
    latest === undefined ? 'yet' : `since ${time(Math.floor(heardAt / 1000))}; what is shown is of then`
  text(
    contact,
    isLost
      ? `The service has not answered ${since}. This page goes on asking. If it stays so: systemctl status kea-leasequery, and its log.`
      : '',
  )
}

find('pause').addEventListener('click', ({ currentTarget }) => {
  holdsStill = !holdsStill
  attribute(currentTarget, 'aria-pressed', String(holdsStill))
  if (!holdsStill && latest !== undefined) show(latest, false)
})
