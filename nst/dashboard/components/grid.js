// The grid's behaviour. Nodes are kept by id and changed in place, so that nothing flickers when the page runs again.
// User text only ever goes through textContent and attributes.

const grids = new WeakMap()
const STAR = "M12 17.3 6.2 20.8l1.5-6.6L2.6 9.8l6.8-.6L12 3l2.6 6.2 6.8.6-5.1 4.4 1.5 6.6z"
const STEPS = { ArrowLeft: -1, ArrowRight: 1 }

export default function ({ data, parentElement, setTriggerValue }) {
  const grid = grids.get(parentElement) ?? create(parentElement)
  grid.send = setTriggerValue
  grid.data = data
  // What the server has not heard of yet stays as the user left it; what it has heard of, it knows better.
  if (data.heard >= grid.said) grid.picked = new Set(data.cards.filter(card => card.picked).map(card => card.id))
  for (const [id, star] of grid.stars) if (data.heard >= star.said) grid.stars.delete(id)
  draw(grid)
  tidy(data.address)
}

// Back from a result leaves its id in this page's address. Replaced, not pushed: Back is to lead on.
function tidy(address) {
  const { pathname, search } = window.location
  if (typeof address !== "string" || !pathname.endsWith("/gallery") || !/[?&]ids?=/.test(search)) return
  window.history.replaceState(window.history.state, "", address ? `${pathname}?${address}` : pathname)
}

function create(parentElement) {
  const list = parentElement.querySelector("ul")
  const grid = { list, nodes: new Map(), stars: new Map(), picked: new Set(), said: 0, last: null }
  list.onkeydown = event => move(grid, event)
  grids.set(parentElement, grid)
  return grid
}

function draw(grid) {
  const { list, nodes, data } = grid
  const ids = new Set(data.cards.map(card => card.id))
  for (const [id, node] of nodes) if (!ids.has(id)) { node.item.remove(); nodes.delete(id) }
  list.classList.toggle("selecting", data.selecting)
  data.cards.forEach((card, place) => {
    if (!nodes.has(card.id)) nodes.set(card.id, build(grid, card.id))
    const node = nodes.get(card.id)
    fill(grid, node, card)
    if (list.children[place] !== node.item) list.insertBefore(node.item, list.children[place] ?? null)
  })
}

function build(grid, id) {
  const item = make("li", "card"), link = make("a", "open"), image = make("img"), name = make("span", "name")
  const caption = make("span", "caption"), rating = make("span", "rating"), star = make("button", "star")
  const pick = make("input", "pick"), mat = make("span", "mat"), foot = make("span", "foot")
  item.dataset.id = id
  image.loading = "lazy"
  image.decoding = "async"
  image.onerror = () => item.classList.add("lost")
  image.onload = () => item.classList.remove("lost")
  name.ariaHidden = "true"  // the picture's alternative text says it
  star.type = "button"
  star.append(icon())
  pick.type = "checkbox"
  mat.append(image)
  foot.append(caption, rating)
  link.append(mat, name)
  item.append(link, foot, star, pick)
  link.onclick = event => follow(grid, id, event)
  star.onclick = () => toggleStar(grid, id)
  pick.onclick = event => togglePick(grid, id, event.shiftKey, pick.checked)
  return { item, link, image, name, caption, rating, star, pick }
}

function fill(grid, node, card) {
  const { data, stars, picked } = grid
  const starred = stars.get(card.id)?.on ?? card.starred
  set(node.image, "width", card.width)
  set(node.image, "height", card.height)
  set(node.image, "alt", card.name)
  set(node.image, "src", card.src)
  node.image.style.aspectRatio = `${card.width} / ${card.height}`
  if (card.href) set(node.link, "href", card.href)
  else node.link.removeAttribute("href")
  say(node.name, card.name)
  if (node.caption.textContent !== card.caption) node.caption.replaceChildren(...phrases(card.caption))
  say(node.rating, card.rating ? `${card.rating}` : "")
  set(node.rating, "role", "img")
  set(node.rating, "aria-label", card.rating ? `Rated ${card.rating} of 5` : "Not rated")
  node.rating.hidden = !card.rating
  node.star.hidden = !data.stars
  set(node.star, "aria-pressed", String(starred))
  set(node.star, "aria-label", `Star ${card.name}`)
  node.star.title = starred ? "Starred: left out when many are deleted at once" : "Star"
  node.pick.hidden = !data.selecting
  node.pick.checked = picked.has(card.id)
  set(node.pick, "aria-label", `Select ${card.name}`)
  node.item.classList.toggle("picked", data.selecting && picked.has(card.id))
}

function follow(grid, id, event) {
  const { selecting, cards } = grid.data
  if (event.metaKey || event.ctrlKey || event.altKey) return  // a tab of its own, as with any link
  if (selecting) {
    event.preventDefault()
    togglePick(grid, id, event.shiftKey, !grid.picked.has(id))
  } else if (!event.shiftKey && cards.some(card => card.id === id && card.href)) {
    event.preventDefault()  // the same session, without loading the page anew
    grid.send("open", id)
  }
}

function toggleStar(grid, id) {
  const card = grid.data.cards.find(card => card.id === id)
  const on = !(grid.stars.get(id)?.on ?? card.starred)
  grid.stars.set(id, { on, said: speak(grid) })
  draw(grid)
  // All that is not confirmed, since of two quick messages the server may only hear the second.
  grid.send("star", { said: grid.said, stars: Object.fromEntries([...grid.stars].map(([id, star]) => [id, star.on])) })
}

function togglePick(grid, id, range, on) {
  const ids = grid.data.cards.map(card => card.id)
  const ends = [ids.indexOf(range && ids.includes(grid.last) ? grid.last : id), ids.indexOf(id)]
  for (const each of ids.slice(Math.min(...ends), Math.max(...ends) + 1)) grid.picked[on ? "add" : "delete"](each)
  grid.last = id
  speak(grid)
  draw(grid)
  grid.send("pick", { said: grid.said, shown: ids, picked: ids.filter(each => grid.picked.has(each)) })
}

// A number that grows, in this visit and the next: the server tells the last one it has heard.
function speak(grid) {
  grid.said = Math.max(grid.said + 1, grid.data.heard + 1, Date.now())
  return grid.said
}

// Arrow keys go from card to card and keep to the kind of control they started from.
function move(grid, event) {
  const kind = ["open", "star", "pick"].find(kind => event.target.classList.contains(kind))
  if (!kind || event.metaKey || event.ctrlKey || event.altKey) return
  const items = [...grid.list.children], place = items.indexOf(event.target.closest("li"))
  const goal = { Home: 0, End: items.length - 1 }[event.key] ?? place + (STEPS[event.key] ?? rows(items, event.key))
  if (goal === place || Number.isNaN(goal)) return
  event.preventDefault()
  items[goal]?.querySelector(`.${kind}`).focus()
}

function rows(items, key) {
  const columns = items.findIndex(item => item.offsetTop > items[0].offsetTop)
  const step = columns < 0 ? items.length : columns
  return { ArrowUp: -step, ArrowDown: step }[key] ?? NaN
}

// A caption's parts, so that a narrow column breaks the line between them and not inside a date.
function phrases(caption) {
  return caption.split(/(?<= · )/).map(part => {
    const phrase = make("span", "phrase")
    phrase.textContent = part
    return phrase
  })
}

function make(tag, name = "") {
  const node = document.createElement(tag)
  node.className = name
  return node
}

function icon() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg")
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path")
  svg.setAttribute("viewBox", "0 0 24 24")
  svg.setAttribute("aria-hidden", "true")
  path.setAttribute("d", STAR)
  svg.append(path)
  return svg
}

function set(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value)
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text
}
