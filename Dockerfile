# The page: docker build -t dan-fer . && docker run -p 7860:7860 dan-fer
FROM python:3.12-slim

RUN useradd --create-home fer
WORKDIR /home/fer

COPY . source
RUN pip install --no-cache-dir './source[app]' && rm -rf source

USER fer
EXPOSE 7860
HEALTHCHECK --start-period=30s CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860')"
ENTRYPOINT ["fer", "app", "--host", "0.0.0.0", "--port", "7860"]
