# One image for every role: `docker run IMAGE queueproxy`, or no argument at all where Knative's sidecar
# variables are set. Writes nothing to its root file system, runs as a numeric non-root user.
FROM node:24-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json tsconfig.bench.json ./
COPY scripts scripts
COPY src src
COPY bench bench
COPY test/support test/support
# The compiled code in dist/queueproxy is good for exactly this Node, which the image runs as well.
RUN npm run build && npm prune --omit=dev

FROM node:24-trixie-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY config config
USER 65532:65532
ENTRYPOINT ["node", "/app/dist/main.cjs"]
