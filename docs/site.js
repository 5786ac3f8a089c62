// The search takes a word that begins with a hyphen for one to leave out; here it is an option.
for (const input of document.querySelectorAll(".md-search__input")) {
  const value = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
  Object.defineProperty(input, "value", {
    get() { return value.get.call(this).replace(/(^|\s)-+(?=\S)/g, "$1"); },
    set(text) { value.set.call(this, text); },
  });
}
