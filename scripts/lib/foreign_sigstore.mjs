// Judges sigstore bundles as a stranger would: npm's @sigstore/verify with a plain key and no log, then in-toto's own rule, that the
// statement is of the file which one has, and of the kind that one asked for.
//
// usage: node foreign_sigstore.mjs MODULES <cases.json      an answer a line: "" for accepted, else why not
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.join(path.resolve(process.argv[2]), 'here.js'));
const { Verifier, toSignedEntity } = require('@sigstore/verify');
const { bundleFromJSON } = require('@sigstore/bundle');

function judge(one) {
    const key = crypto.createPublicKey(fs.readFileSync(one.key));
    const trust = {
        certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [],
        publicKey: () => ({ publicKey: key, validFor: () => true }),
    };
    const bundle = bundleFromJSON(JSON.parse(fs.readFileSync(one.attestation)));
    new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 }).verify(toSignedEntity(bundle));
    const statement = JSON.parse(bundle.content.dsseEnvelope.payload.toString());
    if (statement.predicateType !== one.predicate) return `another predicate: ${statement.predicateType}`;
    const found = crypto.createHash('sha256').update(fs.readFileSync(one.file)).digest('hex');
    if (!statement.subject.some((subject) => subject.digest.sha256 === found)) return 'of another file';
    return '';
}

for (const one of JSON.parse(fs.readFileSync(0))) {
    let said;
    try {
        said = judge(one);
    } catch (error) {
        said = String(error.code ?? error.message ?? error).split('\n')[0] || 'refused';
    }
    console.log(JSON.stringify(said));
}
