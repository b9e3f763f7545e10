// Pictures side by side. One view for all of them: a scale, and where the pictures' upper left corner lies,
// in widths and heights of a pane, so that panes show the same part whatever their pictures' pixels.

const MOST = 16
const views = new WeakMap()

function pane() {
  const figure = document.createElement("figure")
  const frame = figure.appendChild(document.createElement("div"))
  frame.className = "pane"
  frame.appendChild(document.createElement("img")).draggable = false
  figure.appendChild(document.createElement("figcaption"))
  return figure
}

function fill(panes, pictures) {
  while (panes.children.length > pictures.length) panes.lastElementChild.remove()
  while (panes.children.length < pictures.length) panes.appendChild(pane())
  pictures.forEach(({ src, alt, label }, number) => {
    const figure = panes.children[number]
    const image = figure.querySelector("img")
    if (image.getAttribute("src") !== src) image.src = src
    image.alt = alt
    figure.querySelector("figcaption").textContent = label
  })
}

const between = (low, value, high) => Math.min(Math.max(value, low), high)

export default function ({ data, parentElement }) {
  const find = (selector) => parentElement.querySelector(selector)
  const panes = find(".panes")
  const view = views.get(parentElement) ?? { scale: 1, x: 0, y: 0 }
  views.set(parentElement, view)
  fill(panes, data.pictures)
  panes.style.setProperty("--form", data.width / data.height)
  panes.style.setProperty("--columns", data.pictures.length === 4 ? 2 : data.pictures.length)

  const move = (x, y) => {
    view.x = between(1 - view.scale, x, 0)
    view.y = between(1 - view.scale, y, 0)
    panes.style.setProperty("--x", `${100 * view.x}%`)
    panes.style.setProperty("--y", `${100 * view.y}%`)
    panes.style.setProperty("--scale", view.scale)
    panes.classList.toggle("near", view.scale > 1)
    find("output").textContent = `${Math.round(100 * view.scale)} %`
  }
  const zoom = (factor, [x, y] = [0.5, 0.5]) => {
    const before = view.scale
    view.scale = between(1, before * factor, MOST)
    move(x - ((x - view.x) * view.scale) / before, y - ((y - view.y) * view.scale) / before)
  }
  const fit = () => zoom(0)
  const place = (event) => {
    const box = event.target.closest(".pane").getBoundingClientRect()
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
  }

  find(".in").onclick = () => zoom(1.5)
  find(".out").onclick = () => zoom(1 / 1.5)
  find(".fit").onclick = fit
  keys(panes, view, zoom, move, fit)
  pointers(panes, view, zoom, move, place)
  panes.onwheel = (event) => {
    if (!event.target.closest(".pane")) return
    if (event.deltaY > 0 && view.scale === 1) return // seen whole already: the page scrolls
    event.preventDefault()
    zoom(Math.exp(-event.deltaY / 400), place(event))
  }
  panes.ondblclick = (event) => {
    if (event.target.closest(".pane")) zoom(view.scale > 1 ? 0 : 3, place(event))
  }
  move(view.x, view.y)
}

function keys(panes, view, zoom, move, fit) {
  const act = {
    "+": () => zoom(1.5),
    "=": () => zoom(1.5), // plus without shift
    "-": () => zoom(1 / 1.5),
    0: fit,
    ArrowLeft: () => move(view.x + 0.1, view.y),
    ArrowRight: () => move(view.x - 0.1, view.y),
    ArrowUp: () => move(view.x, view.y + 0.1),
    ArrowDown: () => move(view.x, view.y - 0.1),
  }
  panes.onkeydown = (event) => {
    const arrow = event.key.startsWith("Arrow")
    if (!(event.key in act) || event.ctrlKey || event.metaKey || (arrow && view.scale === 1)) return
    event.preventDefault()
    act[event.key]()
  }
}

// One pointer drags, two pinch.
function pointers(panes, view, zoom, move, place) {
  const down = new Map()
  const middle = () => [0, 1].map((axis) => [...down.values()].reduce((sum, at) => sum + at[axis], 0) / down.size)
  const spread = () => {
    const [one, other] = [...down.values()]
    return Math.hypot(one[0] - other[0], one[1] - other[1])
  }
  panes.onpointerdown = (event) => {
    const frame = event.target.closest(".pane")
    if (!frame || event.button !== 0 || down.size === 2) return
    frame.setPointerCapture(event.pointerId)
    down.set(event.pointerId, place(event))
  }
  panes.onpointermove = (event) => {
    if (!down.has(event.pointerId)) return
    const [from, apart] = [middle(), down.size === 2 && spread()]
    down.set(event.pointerId, place(event))
    const to = middle()
    move(view.x + to[0] - from[0], view.y + to[1] - from[1])
    if (down.size === 2) zoom(spread() / apart, to)
  }
  panes.onpointerup = panes.onpointercancel = (event) => down.delete(event.pointerId)
}
