// What WebIDL asks of interface objects, and `on…` handlers.

/**
 * Makes a class an interface: its members are enumerable, and its objects and
 * itself have its name, also when a bundler gave it another. `length` is that
 * of one that cannot be constructed, or whose constructor has more arguments.
 */
export function expose(type: Function, name: string, length = type.length): void {
  for (const target of [type, type.prototype]) {
    for (const key of Object.getOwnPropertyNames(target)) {
      if (!["constructor", "length", "name", "prototype"].includes(key)) Object.defineProperty(target, key, { enumerable: true });
    }
  }
  const tell = (target: object, key: PropertyKey, value: unknown) => Object.defineProperty(target, key, { value, configurable: true });
  tell(type, "name", name);
  tell(type, "length", length);
  tell(type.prototype, Symbol.toStringTag, name);
}

type Handler = ((event: any) => unknown) | null;

const HANDLERS = Symbol("handlers");

/** Gives a class its `on…` attributes: one listener each, in its place among the others. */
export function defineHandlers(of: Function, types: readonly string[]): void {
  const check = (object: unknown): Handled => {
    if (!(object instanceof of)) throw new TypeError("Illegal invocation");
    return object as Handled;
  };
  for (const type of types) {
    // Written out, so that the functions have the names that WebIDL gives them.
    const accessors = {
      get [`on${type}`](): unknown {
        return check(this)[HANDLERS]?.get(type)?.handler ?? null;
      },
      set [`on${type}`](value: unknown) {
        const target = check(this);
        const handler = typeof value === "function" ? (value as Handler) : null;
        const all = (target[HANDLERS] ??= new Map());
        const entry = all.get(type);
        if (entry) {
          entry.handler = handler;
          return;
        }
        if (!handler) return;
        const made = { handler };
        all.set(type, made);
        target.addEventListener(type, (event) => made.handler?.call(target, event));
      },
    };
    Object.defineProperties(of.prototype, Object.getOwnPropertyDescriptors(accessors));
  }
}

interface Handled extends EventTarget {
  [HANDLERS]?: Map<string, { handler: Handler }>;
}
