// Cards to press: a click or a key tells the page which one. What a user typed only goes through text and attributes.
// Presses are numbered and told again until the page has heard of them: of two in quick succession none is lost.

const boards = new WeakMap()
const make = (kind, parent) => parent.appendChild(document.createElement(kind))

function build(list) {
  const button = make("button", make("li", list))
  button.type = "button"
  return { button, image: make("img", button), title: make("span", button), note: make("small", button) }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector("ul")
  const board = boards.get(parentElement) ?? { nodes: [], presses: [], count: data.heard }
  boards.set(parentElement, board)
  board.presses = board.presses.filter(press => press.number > data.heard)
  list.setAttribute("aria-label", data.label)
  while (board.nodes.length > data.cards.length) board.nodes.pop().button.parentElement.remove()
  while (board.nodes.length < data.cards.length) board.nodes.push(build(list))
  data.cards.forEach((card, place) => {
    const { button, image, title, note } = board.nodes[place]
    if (image.getAttribute("src") !== card.picture) image.src = card.picture
    image.alt = card.title
    title.textContent = card.title
    title.ariaHidden = "true" // the picture's alternative text says it
    note.textContent = card.note
    note.hidden = !card.note
    button.setAttribute("aria-pressed", card.pressed)
    button.onclick = () => {
      board.presses.push({ number: ++board.count, id: card.id })
      setTriggerValue("picked", [...board.presses])
    }
  })
}
