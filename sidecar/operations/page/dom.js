// Brings the document up to date by touching only what differs: what is selected or focused stays so. What is shown came from
// requestors' certificates and Kea's configuration, so all of it goes in as text.

export const find = (id) => document.getElementById(id)

export function text(element, value) {
  if (element.textContent !== value) element.textContent = value
}

export function attribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value)
}

/** An element with text in it. */
export function make(name, className, value = '') {
  const element = document.createElement(name)
  if (className !== '') element.className = className
  element.textContent = value
  return element
}

/**
 * Makes the children of `parent` those of `items`, in order; one that has been there under the same key stays.
 * @param key of an item
 * @param create makes the element of an item that is new
 * @param update brings it up to date
 */
export function list(parent, items, key, create, update) {
  const known = new Map(Array.from(parent.children, (child) => [child.dataset.key, child]))
  let at = parent.firstElementChild
  for (const item of items) {
    const name = String(key(item))
    const child = known.get(name) ?? create(item)
    known.delete(name)
    child.dataset.key = name
    update(child, item)
    if (child === at) at = at.nextElementSibling
    else parent.insertBefore(child, at)
  }
  for (const child of known.values()) child.remove()
}

/** Rows of a table: each a list of cells, each { value, note?, className?, mood? }; the first one heads its row. */
export function rows(table, items, key, cells) {
  const labels = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent)
  const create = (item) => {
    const row = make('tr', '')
    row.setAttribute('role', 'row')
    cells(item).forEach((_, i) => {
      const cell = make(i === 0 ? 'th' : 'td', '')
      cell.setAttribute('role', i === 0 ? 'rowheader' : 'cell')
      if (i === 0) cell.scope = 'row'
      cell.dataset.label = labels[i]
      cell.append(make('span', 'value'), make('small', 'note'))
      row.append(cell)
    })
    return row
  }
  list(table.tBodies[0], items, key, create, (row, item) => {
    cells(item).forEach(({ value, note = '', className = '', mood = '' }, i) => {
      const cell = row.cells[i]
      attribute(cell, 'class', className)
      attribute(cell, 'data-mood', mood)
      text(cell.firstElementChild, value)
      text(cell.lastElementChild, note)
    })
  })
}
