// transformers.js on onnxruntime-node in a plain loop: optimum's dynamic INT8, as its own conversion script makes it.
//
// Its tokenizer gives no offsets, so the loop finds the words in the text itself. Commands and answers are those of
// protocol.py, the loop is that of plain_loop.py.

const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");

const CASED_RUN = /[^\s\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\u{20000}-\u{3ffff}]+/gu;
const HAN = /[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\u{20000}-\u{2fa1f}]/u;
const PUNCTUATION = /[\p{P}$+<=>^`|~]/u;
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\ufffd]/u;

/** Spans of the words that BERT's tokenizer cuts into subwords: by white space, each Han and punctuation mark alone. */
function wordsOf(text) {
  const words = [];
  let open = false;
  let at = 0;
  for (const character of text) {
    const end = at + character.length;
    if (/\s/u.test(character)) open = false;
    else if (!UNSEEN.test(character) && character.normalize("NFD").replace(/\p{Mn}/gu, "")) {
      const alone = HAN.test(character) || PUNCTUATION.test(character);
      if (open && !alone) words[words.length - 1][1] = end;
      else words.push([at, end]);
      open = !alone;
    }
    at = end;
  }
  return words;
}

/** 0 lower or caseless, 1 initial capital, 2 all capitals, 3 other with a capital or a digit (text/casing.py). */
function caseClass(word) {
  if (/\p{Nd}/u.test(word)) return 3;
  const capitals = (word.match(/\p{L}/gu) ?? []).map((letter) => /[\p{Uppercase}\p{Lt}]/u.test(letter));
  const count = capitals.filter(Boolean).length;
  if (!count) return 0;
  if (count === capitals.length && count > 1) return 2;
  return capitals[0] && count === 1 ? 1 : 3;
}

/** The case class at each position of the text. */
function caseClasses(text) {
  const classes = new Array(text.length).fill(0);
  for (const match of text.matchAll(CASED_RUN)) {
    classes.fill(caseClass(match[0]), match.index, match.index + match[0].length);
  }
  return classes;
}

class Loop {
  constructor(Tensor, tokenizer, model, pieces) {
    this.Tensor = Tensor;
    this.tokenizer = tokenizer;
    this.model = model;
    this.continues = new Set(Object.keys(pieces).filter((piece) => piece.startsWith("##")).map((piece) => pieces[piece]));
  }

  /** Ids of a text, and for each but the first and the last the word that it is in. */
  encode(text) {
    const ids = this.tokenizer.encode(text);
    const words = wordsOf(text);
    let index = -1;
    const within = ids.slice(1, -1).map((id) => (this.continues.has(id) ? index : ++index));
    if (index + 1 !== words.length) throw new Error(`${words.length} words, ${index + 1} in its tokens: ${text}`);
    return { text, ids, words, within };
  }

  async predict(text) {
    return (await this.together([this.encode(text)]))[0];
  }

  async predictBatch(texts, batch) {
    const encodings = texts.map((text) => this.encode(text));
    const order = [...texts.keys()].sort((one, other) => encodings[one].ids.length - encodings[other].ids.length);
    const found = new Array(texts.length);
    for (let at = 0; at < order.length; at += batch) {
      const some = order.slice(at, at + batch);
      const answers = await this.together(some.map((index) => encodings[index]));
      some.forEach((index, row) => (found[index] = answers[row]));
    }
    return found;
  }

  async together(encodings) {
    const longest = Math.max(...encodings.map((encoding) => encoding.ids.length));
    const [ids, mask, types] = [0, 1, 2].map(() => new BigInt64Array(encodings.length * longest));
    encodings.forEach((encoding, row) => {
      const classes = caseClasses(encoding.text);
      encoding.ids.forEach((id, column) => {
        ids[row * longest + column] = BigInt(id);
        mask[row * longest + column] = 1n;
      });
      encoding.within.forEach((word, column) => {
        types[row * longest + column + 1] = BigInt(classes[encoding.words[word][0]]);
      });
    });
    const shape = [encodings.length, longest];
    const { logits } = await this.model({
      input_ids: new this.Tensor("int64", ids, shape),
      attention_mask: new this.Tensor("int64", mask, shape),
      token_type_ids: new this.Tensor("int64", types, shape),
    });
    return encodings.map((encoding, row) => this.entities(encoding, logits.data, row * longest, logits.dims[2]));
  }

  /** Words by their first subword; a B- or another label begins anew. */
  entities({ text, words, within }, logits, first, labels) {
    const found = [];
    let open = null;
    within.forEach((word, column) => {
      if (column && within[column - 1] === word) return;
      const at = (first + column + 1) * labels;
      let best = 0;
      for (let label = 1; label < labels; label++) if (logits[at + label] > logits[at + best]) best = label;
      const tag = this.model.config.id2label[best];
      const name = tag.slice(2);
      if (open && (tag.startsWith("B-") || name !== open[0])) open = null;
      if (name && open) open[2] = words[word][1];
      else if (name) found.push((open = [name, ...words[word]]));
    });
    const characters = (end) => [...text.slice(0, end)].length; // Python counts code points
    return found.map(([name, start, end]) => [name, characters(start), characters(end)]);
  }
}

async function load(setting) {
  const { AutoModelForTokenClassification, AutoTokenizer, Tensor, env } = require("@huggingface/transformers");
  env.allowRemoteModels = false;
  const folder = path.join(setting.models, "optimum");
  const tokenizer = await AutoTokenizer.from_pretrained(setting.checkpoint);
  const pieces = JSON.parse(fs.readFileSync(path.join(setting.checkpoint, "tokenizer.json"), "utf-8")).model.vocab;
  const model = await AutoModelForTokenClassification.from_pretrained(folder, {
    subfolder: "",
    dtype: "q8", // model_quantized.onnx
    device: "cpu",
    session_options: { intraOpNumThreads: setting.threads, interOpNumThreads: 1 },
  });
  return new Loop(Tensor, tokenizer, model, pieces);
}

const COMMANDS = {
  take: async (loop, texts) => ({ texts: texts.length }),
  latency: async (loop, texts, { every = 1, entities }) => {
    const milliseconds = [];
    const found = [];
    for (let index = 0; index < texts.length; index += every) {
      const begun = performance.now();
      const answer = await loop.predict(texts[index]);
      milliseconds.push(performance.now() - begun);
      found.push(answer);
    }
    return { milliseconds, ...(entities && { entities: found }) };
  },
  throughput: async (loop, texts, { every = 1, batch, entities }) => {
    const taken = texts.filter((_, index) => index % every === 0);
    const begun = performance.now();
    const found = await loop.predictBatch(taken, batch);
    return { seconds: (performance.now() - begun) / 1000, ...(entities && { entities: found }) };
  },
};

async function serve() {
  const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");
  console.log = console.info = console.error; // the protocol's line stays clean
  const setting = JSON.parse(process.argv[2]);
  const loop = await load(setting);
  say({ first: await loop.predict(setting.first_text) });
  let texts = [];
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    texts = command.texts ?? texts;
    say(await COMMANDS[command.do](loop, texts, command));
  }
}

if (require.main === module) {
  serve().catch((error) => {
    console.error(String(error));
    process.exit(1);
  });
}
module.exports = { wordsOf, caseClass, caseClasses };
