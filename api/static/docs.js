"use strict";
// Renders /openapi.json. Everything goes in as text: nothing of the document is taken for markup.

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  Object.assign(node, attributes || {});
  for (const child of children) node.append(child);
  return node;
}

function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.enum) return schema.enum.map(String).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return typeOf(schema.items) + "[]";
  return schema.format || schema.type || "any";
}

function limits(schema) {
  const words = [];
  for (const [key, sign] of [["minimum", "≥"], ["maximum", "≤"], ["maxLength", "length ≤"]])
    if (schema[key] !== undefined) words.push(`${sign} ${schema[key]}`);
  if (schema.default !== undefined) words.push(`default ${JSON.stringify(schema.default)}`);
  return words.join(", ");
}

function row(name, schema, note) {
  const type = [typeOf(schema), limits(schema)].filter(Boolean).join("; ");
  return el("tr", {}, el("td", {}, el("code", { textContent: name })), el("td", { textContent: type }),
    el("td", { textContent: note || schema.description || "" }));
}

function table(rows) {
  const body = el("tbody");
  rows.forEach((r) => body.append(r));
  return el("table", {}, body);
}

function resolve(doc, schema) {
  return schema && schema.$ref ? doc.components.schemas[schema.$ref.split("/").pop()] : schema;
}

function fields(doc, schema) {
  const found = resolve(doc, schema);
  if (!found || !found.properties) return el("p", { textContent: typeOf(schema) });
  const needed = new Set(found.required || []);
  return table(Object.entries(found.properties).map(([name, s]) => row(name + (needed.has(name) ? " *" : ""), s)));
}

function tryIt(method, path, operation) {
  const inputs = operation.parameters.map((p) => [p, el("input", { placeholder: p.name })]);
  const body = operation.requestBody ? el("textarea", { value: "{}" }) : null;
  const output = el("pre", { textContent: "" });
  const send = el("button", { type: "button", textContent: "Send" });
  send.addEventListener("click", async () => {
    let url = path;
    const query = new URLSearchParams();
    const headers = {};
    const key = document.getElementById("key").value;
    if (key) headers["X-API-Key"] = key;
    for (const [p, input] of inputs) {
      if (p.in === "path") url = url.replace(`{${p.name}}`, encodeURIComponent(input.value));
      else if (input.value && p.in === "query") query.set(p.name, input.value);
      else if (input.value) headers[p.name] = input.value;
    }
    if (body) headers["Content-Type"] = "application/json";
    const target = query.size ? `${url}?${query}` : url;
    try {
      const response = await fetch(target, { method, headers, body: body ? body.value : undefined });
      const text = await response.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON */ }
      output.textContent = `${response.status}\n${shown.slice(0, 50000)}`;
    } catch (error) { output.textContent = String(error); }
  });
  const box = el("div");
  for (const [p, input] of inputs) box.append(el("label", {}, `${p.name} `, input), el("br"));
  if (body) box.append(body);
  box.append(send, output);
  return el("details", {}, el("summary", { textContent: "Try it" }), box);
}

function operationBox(doc, path, method, operation) {
  const box = el("details", { id: operation.operationId },
    el("summary", {}, el("span", { className: "method", textContent: method.toUpperCase() }),
      el("span", { className: "path", textContent: path }), operation.summary),
    el("p", { textContent: operation.description + (operation["x-scope"] ? ` Scope: ${operation["x-scope"]}.` : "") }));
  if (operation.parameters.length)
    box.append(el("h4", { textContent: "Parameters" }),
      table(operation.parameters.map((p) => row(p.name + (p.required ? " *" : ""), p.schema, `${p.in}. ${p.description || ""}`))));
  if (operation.requestBody)
    box.append(el("h4", { textContent: "Body" }), fields(doc, operation.requestBody.content["application/json"].schema));
  box.append(el("h4", { textContent: "Answers" }));
  const answers = Object.entries(operation.responses).map(([status, response]) => {
    const json = response.content && response.content["application/json"];
    return el("tr", {}, el("td", { textContent: status }), el("td", { textContent: response.description }),
      el("td", { textContent: json ? typeOf(json.schema) : Object.keys(response.content || {}).join(", ") }));
  });
  box.append(table(answers), tryIt(method.toUpperCase(), path, operation));
  return box;
}

async function main() {
  const doc = await (await fetch("/openapi.json")).json();
  const target = document.getElementById("operations");
  target.replaceChildren();
  const byTag = new Map();
  for (const [path, methods] of Object.entries(doc.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0];
      if (!byTag.has(tag)) byTag.set(tag, []);
      byTag.get(tag).push(operationBox(doc, path, method, operation));
    }
  for (const [tag, boxes] of byTag) target.append(el("h2", { textContent: `/${tag}` }), ...boxes);
  target.append(el("h2", { textContent: "Models" }));
  for (const [name, schema] of Object.entries(doc.components.schemas))
    target.append(el("details", {}, el("summary", { textContent: name }), fields(doc, schema)));
}

main().catch((error) => { document.getElementById("operations").textContent = String(error); });
