// Waiting for a condition, never for a time: what the tests do instead of sleeping.

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks `question` again until its answer is truthy, and gives the answer; fails after `seconds` with `what`. */
export async function until(what, question, { seconds = 60, every_ms = 100 } = {}) {
    const end = Date.now() + seconds * 1000;
    let last;
    for (;;) {
        try {
            const answer = await question();
            if (answer) return answer;
            last = answer;
        } catch (error) {
            last = error;
        }
        if (Date.now() > end) {
            throw new Error(`not within ${seconds} s: ${what} (last: ${last?.stack ?? JSON.stringify(last)})`);
        }
        await sleep(every_ms);
    }
}

/** Gives `promise` `seconds` to settle. */
export function within(what, promise, seconds = 60) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not within ${seconds} s: ${what}`)), seconds * 1000);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The same numbers for the same seed (mulberry32): a function that gives [0, 1). */
export function random(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = Math.imul(state ^ (state >>> 15), state | 1);
        t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}
