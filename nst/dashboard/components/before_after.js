// Two pictures in one place, parted where the slider stands. The slider itself is an input that covers the
// picture unseen: keyboards and screen readers use it as it is, a pointer drags anywhere on the picture.

// An address is shown when its picture has arrived; until then the last one stays, so that nothing flickers.
function show(image, { src, alt }) {
  image.alt = alt
  if (image.dataset.wanted === src) return
  image.dataset.wanted = src
  const arriving = new Image()
  arriving.onload = arriving.onerror = () => {
    if (image.dataset.wanted === src) image.src = src
  }
  arriving.src = src
}

export default function ({ data, parentElement }) {
  const find = (selector) => parentElement.querySelector(selector)
  const stage = find(".stage")
  const range = find("input")
  stage.style.setProperty("--form", data.width / data.height)
  stage.classList.toggle("parted", data.before !== null)
  show(find(".after"), data.after)
  find(".right").textContent = data.after.label
  if (data.before === null) return

  show(find(".before"), data.before)
  find(".left").textContent = data.before.label
  range.setAttribute("aria-label", `${data.before.label} and ${data.after.label}: where they are parted`)

  const part = () => {
    stage.style.setProperty("--at", `${range.value}%`)
    stage.classList.toggle("no-left", range.value < 20)
    stage.classList.toggle("no-right", range.value > 80)
    range.setAttribute("aria-valuetext", `${Math.round(range.value)} % ${data.before.label}`)
  }
  const drag = (event) => {
    const box = stage.getBoundingClientRect()
    range.value = (100 * (event.clientX - box.left)) / box.width
    part()
  }
  range.oninput = part
  stage.onpointerdown = (event) => {
    if (event.button !== 0) return
    stage.setPointerCapture(event.pointerId)
    range.focus({ preventScroll: true })
    if (event.pointerType !== "touch") drag(event) // a finger may be about to scroll the page
  }
  stage.onmousedown = (event) => event.preventDefault() // which would take the focus away again
  stage.onpointermove = (event) => {
    if (stage.hasPointerCapture(event.pointerId)) drag(event)
  }
  stage.onpointerup = (event) => {
    if (stage.hasPointerCapture(event.pointerId)) drag(event)
  }
  part()
}
