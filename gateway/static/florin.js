// Comfort only: every page works without this.

// A form that is on its way is not sent a second time. The button stays enabled, so that its name
// and value are part of what is sent.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    const pressed = event.submitter;
    if (pressed) pressed.setAttribute("aria-disabled", "true");
    const status = form.querySelector("[data-waiting]");
    if (status) status.textContent = status.dataset.waiting;
  });
}

// Back in history: the page comes as it was left, so let it be used again.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.querySelector("[aria-disabled]")?.removeAttribute("aria-disabled");
    const status = form.querySelector("[data-waiting]");
    if (status) status.textContent = "";
  }
});

// Spaces in the card number and the name of its brand, while typing.
const BRANDS = [
  [/^4/, "Visa"],
  [/^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, "Mastercard"],
  [/^3[47]/, "American Express"],
  [/^(6011|65)/, "Discover"],
  [/^35(2[89]|[3-8])/, "JCB"],
  [/^62/, "UnionPay"],
];
const number = document.getElementById("number");
const brand = document.getElementById("brand");
if (number && brand) {
  const show = () => {
    const digits = number.value.replace(/\D/g, "");
    brand.textContent = BRANDS.find(([head]) => head.test(digits))?.[1] ?? "";
    // Only at the end of the text: a correction in the middle keeps its place.
    const typing = number.selectionStart === number.value.length;
    if (!typing || /[^\d\s-]/.test(number.value)) return;
    const groups = /^3[47]/.test(digits) ? /^(\d{1,4})(\d{1,6})?(\d{1,9})?/ : null;
    const parts = groups ? groups.exec(digits).slice(1).filter(Boolean) : digits.match(/\d{1,4}/g);
    const spaced = (parts ?? []).join(" ");
    if (spaced !== number.value) number.value = spaced;
  };
  number.addEventListener("input", show);
  show();
}
