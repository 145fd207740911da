exports.grpc = require("@grpc/grpc-js");
