# The peer: workerd with the handler of functions/builtin/calculate-total.js, behind its own HTTP server.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "peer.mjs", esModule = embed "peer.mjs"),
    (name = "handler.js", commonJsModule = embed "../../build/bench/handler.js"),
  ],
  compatibilityDate = "2024-09-01",
);
