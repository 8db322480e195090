// A server on the OpenSSL 1.0.0 that Node.js 0.8 carries: SSL 2.0, export suites.
// node ancient.js ADDRESS PORT METHOD CIPHERS KEY CERTIFICATES LOG
var tls = require('tls'), fs = require('fs'), given = process.argv.slice(2);
var options = {secureProtocol: given[2], ciphers: given[3], key: fs.readFileSync(given[4]), cert: fs.readFileSync(given[5])};
var server = tls.createServer(options, function (stream) {
    fs.appendFileSync(given[6], stream.getCipher().name + '\n');
    stream.on('data', function () { stream.end('answer\n'); });
    stream.on('error', function () {});
});
server.on('clientError', function (error) { fs.appendFileSync(given[6], 'error ' + error.message + '\n'); });
server.listen(+given[1], given[0]);
